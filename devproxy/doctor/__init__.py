"""Which of the usual failures a server has, found from the wire alone.

A run has three steps. Probes ask the server and note what came back (:mod:`devproxy.doctor.probing`, the only part
that does I/O); a diagnosis is a function of these observations (:mod:`devproxy.doctor.diagnosis`); a report puts it
into lines or JSON (:mod:`devproxy.doctor.report`). A problem has one code of a fixed list, and is stated only where it
is the case: a false alarm costs more than silence. Start at :func:`devproxy.doctor.diagnosis.diagnose`.
"""
