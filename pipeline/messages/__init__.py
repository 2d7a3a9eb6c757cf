"""Every text a person reads, in Chinese and English."""
