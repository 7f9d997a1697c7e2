"""What `amnl-tune doctor` looks at, one file a subject. Checks yield findings; none changes anything by itself."""
