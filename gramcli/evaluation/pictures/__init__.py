"""What figures show and an evaluation does not hold, computed from the vectors of a store.

`gramcli.evaluation.pictures.gather.pictures_of` is the door; its answer is a `gramcli.results.pictures.Pictures`.
"""
