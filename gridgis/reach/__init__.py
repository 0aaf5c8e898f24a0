"""Work and reach on the walking network: times from stations to houses, service gaps, patrol rounds."""
