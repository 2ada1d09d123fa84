"""The published protocol of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot, Bontempi, 2022), on this project's
transform, for any windows and any file with its columns.
"""
