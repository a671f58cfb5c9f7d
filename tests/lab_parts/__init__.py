"""Tests of the lab's own parts, and of what it assumes of moto: they run no lab."""
