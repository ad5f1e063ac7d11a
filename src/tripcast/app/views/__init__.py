"""One module for each page of the app, with a function ``page`` that draws it."""
