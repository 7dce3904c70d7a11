"""Where work orders are carried out, and who carries out one."""
