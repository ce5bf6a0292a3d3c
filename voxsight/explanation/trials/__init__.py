"""Tests of attribution maps: are they faithful, specific and well placed?"""
