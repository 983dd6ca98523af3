"""The catalog: one SQLite file of dictionaries, latents, labels and experiments.

Its modules are imported one by one (`from saecli.catalog.opening import open_catalog`), so that a
command loads no more of SQLAlchemy than it uses. No torch, no maths.
"""
