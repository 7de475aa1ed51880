"""The page: what a phone sees. Forms in, HTML out; everything else is the appliance's."""
