"""Files of other people's formats: read item by item, written whole or not at all."""
