"""The filtered, joined query over jobs, and what is read by it. Jobs are selected only here; none is written."""
