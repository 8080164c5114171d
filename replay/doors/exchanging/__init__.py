"""How a function or a method does something else under every name it was imported under."""
