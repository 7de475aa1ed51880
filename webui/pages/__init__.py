"""One blueprint a file: home, translate, ask, draft, jobs, about."""
