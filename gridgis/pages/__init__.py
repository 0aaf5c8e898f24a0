"""The web app's pages: widgets, one call, what came out; no rule and no formula lives here."""
