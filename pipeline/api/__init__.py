"""The Python API (README, "From Python"): runs without a command line. It prints and asks nothing.

The reason that stops a run under way is no exception: it is ``Result.halted``, and ``Result.exit`` is the code
the command line would have ended with. Exceptions mean that nothing was sent or that the results could not be written.
All are names of `pipeline` and derive from `pipeline.EsignImportError`: ``str(error)`` is the sentence in English,
``error.render("zh")`` the one in Chinese, ``error.exit_code`` the code of the command line. However early a run ends, it
leaves its run.json in the folder of its results.

==================== =================================================================================
UsageError           a path that is not there; a configuration that does not say who acts; another
                     tenant's ledger
ConfigError          a file or value of the configuration is wrong (every fault is named)
Locked               another run holds the ledger
NotReadNow           a file cannot be read at the moment, for a reason of the machine: another run may read it
PreparationFailed    the command of ``before_run`` has failed
LedgerError          ledger, key or the disk under them cannot be used
CredentialsMissing   something has to be sent, and no complete pair of SecretId and SecretKey was found
SumsError            the sums do not add up, a bug: results are not written, the ledger knows what was sent
DiskTrouble          the results cannot be written, for instance on a full disk; the ledger knows what was sent
==================== =================================================================================

Log records go to the loggers below ``pipeline``, without names and numbers; no log.jsonl is written.
"""

import logging

logging.getLogger("pipeline").addHandler(logging.NullHandler())  # a library is silent by default
