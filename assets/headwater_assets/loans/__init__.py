"""The default project's first domain: mortgage loans in Freddie Mac's public layout."""
