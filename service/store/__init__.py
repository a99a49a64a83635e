"""The store: all reads and writes of rows. Functions take a connection; their caller begins and ends transactions."""
