import typer

app = typer.Typer()


@app.command()
def placeholder() -> None:
    """x"""
