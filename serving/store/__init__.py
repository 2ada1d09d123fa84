"""The model store: immutable versions, their manifests, and the document that says what is served."""
