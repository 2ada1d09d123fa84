"""The domains: one folder each, data only. A test greps that no word of a domain stands outside its folder."""
