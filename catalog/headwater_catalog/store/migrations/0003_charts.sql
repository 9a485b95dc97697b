-- Charts and dashboards: what people call them, and where their pages are.

ALTER TABLE node ADD COLUMN title text NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN url text NOT NULL DEFAULT '';
