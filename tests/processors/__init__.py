"""The same pack on other processors, emulated: `make test-processors`."""
