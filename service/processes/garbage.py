"""The garbage collector of the long-lived processes."""

import gc


def spare_collector() -> None:
    """Call where all is imported: nothing that lives by then is looked at again.

    Some hundred thousand objects of imported modules, which a full collection otherwise walks for 0.1 s and more, again
    and again, while every thread stands still and requests or other writers wait.
    """
    gc.collect()
    gc.freeze()
