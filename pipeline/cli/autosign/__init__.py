"""The command group `autosign`: who can sign, links for those who cannot yet, and doctors who left."""
