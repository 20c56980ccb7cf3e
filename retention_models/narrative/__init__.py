"""The words of the pages: the only room that writes sentences for readers."""
