"""The tests; a package, because httpbin's wheel brings one of this name, which would be found in its place."""
