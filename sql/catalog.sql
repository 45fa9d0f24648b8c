-- What the extension puts into the catalogs: what clients read there, and that it can be moved.

-- the type, as drivers and dumps expect it
SELECT typtype, typlen, typbyval, typcategory, typispreferred, typisdefined, typdelim, typelem, typsubscript,
  typalign, typstorage, typnotnull,
  typbasetype, typtypmod, typndims, typcollation, typdefault
FROM pg_type WHERE oid = 'vector'::regtype \gx
SELECT typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze FROM pg_type
  WHERE oid = 'vector'::regtype \gx
SELECT a.typname, a.typelem::regtype, a.typcategory, a.typarray AS typarray_of_array, v.typarray::regtype,
  a.typstorage, a.typalign, a.typmodin
FROM pg_type AS v JOIN pg_type AS a ON a.oid = v.typarray WHERE v.oid = 'vector'::regtype \gx
SELECT to_regtype('vector') IS NOT NULL AS vector, to_regtype('_vector') IS NOT NULL AS _vector,
  to_regtype('vector[]') = to_regtype('_vector') AS array;

-- type modifiers are dimensions as they are, and format_type shows them
CREATE TABLE catalog_test (a vector, b vector(3), c vector(16000)[], d vector(3) DEFAULT '[1,2,3]');
SELECT attname, atttypmod, attlen, attstorage, attndims, format_type(atttypid, atttypmod) FROM pg_attribute
  WHERE attrelid = 'catalog_test'::regclass AND attnum > 0 ORDER BY attnum;
SELECT column_name, data_type, udt_name, character_maximum_length FROM information_schema.columns
  WHERE table_name = 'catalog_test' ORDER BY ordinal_position;
DROP TABLE catalog_test;

-- every function, with what it promises
SELECT p.oid::regprocedure AS function, p.prorettype::regtype AS result, p.provolatile AS v,
  p.proisstrict AS strict, p.proparallel AS par, p.prokind AS kind,
  p.proleakproof AS lp, p.prosupport AS support
FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
  AND d.deptype = 'e'
  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
    AND e.extname = 'pg_nearest'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- aggregates
SELECT aggfnoid::regprocedure, aggkind, aggtransfn, aggfinalfn, aggcombinefn, aggserialfn,
  aggtranstype::regtype, agginitval, aggfinalmodify, aggmtransfn
FROM pg_aggregate WHERE aggfnoid IN ('avg(vector)'::regprocedure, 'sum(vector)'::regprocedure)
  ORDER BY aggfnoid::regprocedure::text COLLATE "C";

-- operators: commutators, negators, selectivity; = can be merged and hashed
SELECT o.oid::regoperator AS operator, oprresult::regtype AS result, oprcode AS function,
  oprcom::regoperator AS commutator, oprnegate::regoperator AS negator, oprrest AS restrict,
  oprjoin AS join, oprcanmerge AS merges, oprcanhash AS hashes
FROM pg_operator AS o WHERE oprleft = 'vector'::regtype ORDER BY oprname COLLATE "C";

-- casts: i by themselves, a on assignment
SELECT castsource::regtype AS source, casttarget::regtype AS target, castfunc::regprocedure AS function,
  castcontext AS context, castmethod AS method
FROM pg_cast WHERE 'vector'::regtype IN (castsource, casttarget)
  ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";

-- operator classes, and that the core finds no fault with them
SELECT amname, opcname, opcdefault, opckeytype, opcfamily IS NOT NULL AS family, amvalidate(c.oid)
FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod
  WHERE opcintype = 'vector'::regtype ORDER BY amname COLLATE "C", opcname COLLATE "C";
SELECT amname, amopstrategy, amopopr::regoperator, amoppurpose FROM pg_amop
  JOIN pg_am AS a ON a.oid = amopmethod
  WHERE amoplefttype = 'vector'::regtype ORDER BY amname COLLATE "C", amopstrategy, amopopr::regoperator::text COLLATE "C";
SELECT amname, amprocnum, amproc::regprocedure FROM pg_amproc JOIN pg_opfamily AS f ON f.oid = amprocfamily
  JOIN pg_am AS a ON a.oid = opfmethod
WHERE amproclefttype = 'vector'::regtype ORDER BY amname COLLATE "C", amprocnum, opfname COLLATE "C";

-- The objects of the extension, without types of arrays and of tables' rows, which are among them from version 17 on.
CREATE VIEW catalog_objects AS SELECT classid, objid, pg_describe_object(classid, objid, 0) AS object
  FROM pg_depend
  WHERE refclassid = 'pg_extension'::regclass
    AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_nearest') AND deptype = 'e'
    AND NOT (classid = 'pg_type'::regclass AND objid IN (SELECT typarray FROM pg_type
      UNION ALL SELECT reltype FROM pg_class WHERE relkind <> 'c'));
-- what users can name has a comment
SELECT object FROM catalog_objects
WHERE classid NOT IN ('pg_cast'::regclass, 'pg_opfamily'::regclass)
  AND obj_description(objid, classid::regclass::text) IS NULL ORDER BY 1;
-- comments are phrases, without a period
SELECT object, obj_description(objid, classid::regclass::text) AS comment FROM catalog_objects
WHERE obj_description(objid, classid::regclass::text) ~ '(\.$|^\s*$)' ORDER BY 1;
-- C functions are named apart from those of other vector extensions
SELECT proname, prosrc FROM pg_proc JOIN catalog_objects ON objid = oid AND classid = 'pg_proc'::regclass
  WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND prosrc !~ '^nearest_';
-- few tables, and no schema or role is made
SELECT classid::regclass, count(*) FROM catalog_objects
  GROUP BY classid ORDER BY classid::regclass::text COLLATE "C";
SELECT extrelocatable, extconfig::regclass[],
  extnamespace = (SELECT typnamespace FROM pg_type WHERE oid = 'vector'::regtype) AS same_schema
  FROM pg_extension WHERE extname = 'pg_nearest';
DROP VIEW catalog_objects;

-- it can be moved to another schema, with all that depends on it
CREATE TABLE catalog_moves (v vector(3), n double precision GENERATED ALWAYS AS (v <-> '[0,0,0]') STORED);
INSERT INTO catalog_moves VALUES ('[3,4,0]'), ('[0,0,1]');
CREATE INDEX ON catalog_moves (v);
SELECT nearest_set_model('catalog_moves', 'v', 'moved');
CREATE SCHEMA catalog_elsewhere;
ALTER EXTENSION pg_nearest SET SCHEMA catalog_elsewhere;
SELECT count(*) FROM pg_proc WHERE pronamespace <> 'catalog_elsewhere'::regnamespace
  AND probin = '$libdir/pg_nearest';
INSERT INTO catalog_moves VALUES ('[0,2,0]');
SELECT * FROM catalog_moves ORDER BY v OPERATOR(catalog_elsewhere.<->) '[0,0,0]';
SELECT * FROM catalog_moves WHERE v = '[0,2,0]';
SELECT '[1]'::vector;
SELECT relation, model FROM catalog_elsewhere.nearest_models;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
  WHERE attrelid = 'catalog_moves'::regclass AND attname = 'v';
SELECT count(DISTINCT v), catalog_elsewhere.avg(v), catalog_elsewhere.sum(v) FROM catalog_moves;
SET search_path = public, catalog_elsewhere;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
  WHERE attrelid = 'catalog_moves'::regclass AND attname = 'v';
SELECT v <-> '[3,4,1]' AS distance FROM catalog_moves WHERE v = '[3,4,0]';
RESET search_path;
ALTER EXTENSION pg_nearest SET SCHEMA public;
DROP TABLE catalog_moves;

-- it can be created in a schema that is not on the search path, and dropped without a trace
BEGIN;
DROP EXTENSION pg_nearest;
SELECT count(*) AS left_behind FROM pg_proc
  WHERE probin = '$libdir/pg_nearest' OR proname LIKE '%vector\_%'
  AND pronamespace <> 'pg_catalog'::regnamespace;
CREATE EXTENSION pg_nearest WITH SCHEMA catalog_elsewhere;
SELECT to_regtype('vector') IS NULL AS hidden;
CREATE TABLE catalog_there (v catalog_elsewhere.vector(2));
INSERT INTO catalog_there VALUES ('[1,2]'), (ARRAY[3,4]), ('[1,2]');
SELECT v, v OPERATOR(catalog_elsewhere.<=>) '[1,2]' = 0 AS same
  FROM catalog_there ORDER BY v OPERATOR(catalog_elsewhere.<=>) '[1,2]', v;
SELECT DISTINCT v FROM catalog_there ORDER BY v;
SELECT catalog_elsewhere.nearest_kernels() IS NOT NULL AS loaded;
ROLLBACK;
DROP SCHEMA catalog_elsewhere;
SELECT '[1]'::vector;
