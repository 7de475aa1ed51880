"""One blueprint a file: home, translate, ask, draft, jobs, packs, about."""
