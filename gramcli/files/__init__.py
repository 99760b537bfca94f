"""The doors to the disk: how every file is read, replaced and locked, whoever filled the folder before."""
