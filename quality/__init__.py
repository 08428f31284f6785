"""The science: geometry, reflectance, indices, fusion, grades, alert rules. Pure functions, no I/O."""
