#!/bin/sh
# Takes the place of cargo in the tests of xtask. Prints its name for xtask and its arguments, one per
# line, appends them to the file LOG, and exits with 7 if they match one of the patterns in FAILING.
printf '%s\n' "$RAGGED_PROGRAM" "$@"
echo "err: $1" >&2
[ -z "$LOG" ] || echo "$*" >> "$LOG"
eval "case \"\$*\" in $FAILING) exit 7;; esac"
