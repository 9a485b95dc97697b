-- Whose definition it is: another project's publication takes back nothing.

ALTER TABLE node ADD COLUMN project text NOT NULL DEFAULT '';
