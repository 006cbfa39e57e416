"""The journey map: a sheet for the wall, drawn from the store. Facts, words of three languages, and the drawing."""
