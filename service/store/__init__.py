"""The store: who may write which row. Functions take a connection; transactions begin and end with their caller."""
