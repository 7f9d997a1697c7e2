"""The whole line, from a study file to an exported model, as one value that any caller can resume. It draws nothing."""
