"""Inner loops compiled by numba, where it can be had: the same bits as the torch code they stand in for, sooner.

Nothing here is needed. `loading` decides whether there is work enough to pay for importing a compiler; nobody else
imports a module of kernels before it has said yes.
"""
