"""Probes, interventions, controls and verdicts: pure maths on tensors and plain values."""
