"""Other people's formats as pure functions: values in, values and losses out. Files are read and written elsewhere."""
