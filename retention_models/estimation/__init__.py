"""How numbers are found: likelihoods climbed, intervals made, integrals taken. Arrays in, arrays out."""
