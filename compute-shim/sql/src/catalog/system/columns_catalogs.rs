//! Columns of the catalogs of `pg_catalog`.
//!
//! Names, order and types are those of PostgreSQL 15; they were read off a running one. Brackets mark
//! NOT NULL, parentheses the number of a type that this product does not have (the column holds nothing but NULL),
//! braces a type with its modifier.
//! Owns no rows.

use super::{SystemColumn, columns};

/// `pg_catalog.pg_aggregate`, oid 2600.
#[rustfmt::skip]
pub(super) static PG_AGGREGATE: &[SystemColumn] = columns! {
    aggfnoid [REGPROC], aggkind [CHAR], aggnumdirectargs [INT2], aggtransfn [REGPROC],
    aggfinalfn [REGPROC], aggcombinefn [REGPROC], aggserialfn [REGPROC], aggdeserialfn [REGPROC],
    aggmtransfn [REGPROC], aggminvtransfn [REGPROC], aggmfinalfn [REGPROC], aggfinalextra [BOOL],
    aggmfinalextra [BOOL], aggfinalmodify [CHAR], aggmfinalmodify [CHAR], aggsortop [OID],
    aggtranstype [OID], aggtransspace [INT4], aggmtranstype [OID], aggmtransspace [INT4],
    agginitval TEXT, aggminitval TEXT
};

/// `pg_catalog.pg_am`, oid 2601.
#[rustfmt::skip]
pub(super) static PG_AM: &[SystemColumn] = columns! {
    oid [OID], amname [NAME], amhandler [REGPROC], amtype [CHAR]
};

/// `pg_catalog.pg_amop`, oid 2602.
#[rustfmt::skip]
pub(super) static PG_AMOP: &[SystemColumn] = columns! {
    oid [OID], amopfamily [OID], amoplefttype [OID], amoprighttype [OID], amopstrategy [INT2],
    amoppurpose [CHAR], amopopr [OID], amopmethod [OID], amopsortfamily [OID]
};

/// `pg_catalog.pg_amproc`, oid 2603.
#[rustfmt::skip]
pub(super) static PG_AMPROC: &[SystemColumn] = columns! {
    oid [OID], amprocfamily [OID], amproclefttype [OID], amprocrighttype [OID], amprocnum [INT2],
    amproc [REGPROC]
};

/// `pg_catalog.pg_attrdef`, oid 2604.
#[rustfmt::skip]
pub(super) static PG_ATTRDEF: &[SystemColumn] = columns! {
    oid [OID], adrelid [OID], adnum [INT2], adbin [PG_NODE_TREE]
};

/// `pg_catalog.pg_attribute`, oid 1249.
#[rustfmt::skip]
pub(super) static PG_ATTRIBUTE: &[SystemColumn] = columns! {
    attrelid [OID], attname [NAME], atttypid [OID], attstattarget [INT4], attlen [INT2],
    attnum [INT2], attndims [INT4], attcacheoff [INT4], atttypmod [INT4], attbyval [BOOL],
    attalign [CHAR], attstorage [CHAR], attcompression [CHAR], attnotnull [BOOL], atthasdef [BOOL],
    atthasmissing [BOOL], attidentity [CHAR], attgenerated [CHAR], attisdropped [BOOL],
    attislocal [BOOL], attinhcount [INT4], attcollation [OID], attacl ACLITEM_ARRAY,
    attoptions TEXT_ARRAY, attfdwoptions TEXT_ARRAY, attmissingval ANYARRAY
};

/// `pg_catalog.pg_auth_members`, oid 1261.
#[rustfmt::skip]
pub(super) static PG_AUTH_MEMBERS: &[SystemColumn] = columns! {
    roleid [OID], member [OID], grantor [OID], admin_option [BOOL]
};

/// `pg_catalog.pg_authid`, oid 1260.
#[rustfmt::skip]
pub(super) static PG_AUTHID: &[SystemColumn] = columns! {
    oid [OID], rolname [NAME], rolsuper [BOOL], rolinherit [BOOL], rolcreaterole [BOOL],
    rolcreatedb [BOOL], rolcanlogin [BOOL], rolreplication [BOOL], rolbypassrls [BOOL],
    rolconnlimit [INT4], rolpassword TEXT, rolvaliduntil TIMESTAMPTZ
};

/// `pg_catalog.pg_cast`, oid 2605.
#[rustfmt::skip]
pub(super) static PG_CAST: &[SystemColumn] = columns! {
    oid [OID], castsource [OID], casttarget [OID], castfunc [OID], castcontext [CHAR],
    castmethod [CHAR]
};

/// `pg_catalog.pg_class`, oid 1259.
#[rustfmt::skip]
pub(super) static PG_CLASS: &[SystemColumn] = columns! {
    oid [OID], relname [NAME], relnamespace [OID], reltype [OID], reloftype [OID], relowner [OID],
    relam [OID], relfilenode [OID], reltablespace [OID], relpages [INT4], reltuples [FLOAT4],
    relallvisible [INT4], reltoastrelid [OID], relhasindex [BOOL], relisshared [BOOL],
    relpersistence [CHAR], relkind [CHAR], relnatts [INT2], relchecks [INT2], relhasrules [BOOL],
    relhastriggers [BOOL], relhassubclass [BOOL], relrowsecurity [BOOL], relforcerowsecurity [BOOL],
    relispopulated [BOOL], relreplident [CHAR], relispartition [BOOL], relrewrite [OID],
    relfrozenxid [XID], relminmxid [XID], relacl ACLITEM_ARRAY, reloptions TEXT_ARRAY,
    relpartbound PG_NODE_TREE
};

/// `pg_catalog.pg_collation`, oid 3456.
#[rustfmt::skip]
pub(super) static PG_COLLATION: &[SystemColumn] = columns! {
    oid [OID], collname [NAME], collnamespace [OID], collowner [OID], collprovider [CHAR],
    collisdeterministic [BOOL], collencoding [INT4], collcollate TEXT, collctype TEXT,
    colliculocale TEXT, collversion TEXT
};

/// `pg_catalog.pg_constraint`, oid 2606.
#[rustfmt::skip]
pub(super) static PG_CONSTRAINT: &[SystemColumn] = columns! {
    oid [OID], conname [NAME], connamespace [OID], contype [CHAR], condeferrable [BOOL],
    condeferred [BOOL], convalidated [BOOL], conrelid [OID], contypid [OID], conindid [OID],
    conparentid [OID], confrelid [OID], confupdtype [CHAR], confdeltype [CHAR], confmatchtype [CHAR],
    conislocal [BOOL], coninhcount [INT4], connoinherit [BOOL], conkey INT2_ARRAY, confkey INT2_ARRAY,
    conpfeqop OID_ARRAY, conppeqop OID_ARRAY, conffeqop OID_ARRAY, confdelsetcols INT2_ARRAY,
    conexclop OID_ARRAY, conbin PG_NODE_TREE
};

/// `pg_catalog.pg_conversion`, oid 2607.
#[rustfmt::skip]
pub(super) static PG_CONVERSION: &[SystemColumn] = columns! {
    oid [OID], conname [NAME], connamespace [OID], conowner [OID], conforencoding [INT4],
    contoencoding [INT4], conproc [REGPROC], condefault [BOOL]
};

/// `pg_catalog.pg_database`, oid 1262.
#[rustfmt::skip]
pub(super) static PG_DATABASE: &[SystemColumn] = columns! {
    oid [OID], datname [NAME], datdba [OID], encoding [INT4], datlocprovider [CHAR],
    datistemplate [BOOL], datallowconn [BOOL], datconnlimit [INT4], datfrozenxid [XID],
    datminmxid [XID], dattablespace [OID], datcollate [TEXT], datctype [TEXT], daticulocale TEXT,
    datcollversion TEXT, datacl ACLITEM_ARRAY
};

/// `pg_catalog.pg_db_role_setting`, oid 2964.
#[rustfmt::skip]
pub(super) static PG_DB_ROLE_SETTING: &[SystemColumn] = columns! {
    setdatabase [OID], setrole [OID], setconfig TEXT_ARRAY
};

/// `pg_catalog.pg_default_acl`, oid 826.
#[rustfmt::skip]
pub(super) static PG_DEFAULT_ACL: &[SystemColumn] = columns! {
    oid [OID], defaclrole [OID], defaclnamespace [OID], defaclobjtype [CHAR],
    defaclacl [ACLITEM_ARRAY]
};

/// `pg_catalog.pg_depend`, oid 2608.
#[rustfmt::skip]
pub(super) static PG_DEPEND: &[SystemColumn] = columns! {
    classid [OID], objid [OID], objsubid [INT4], refclassid [OID], refobjid [OID], refobjsubid [INT4],
    deptype [CHAR]
};

/// `pg_catalog.pg_description`, oid 2609.
#[rustfmt::skip]
pub(super) static PG_DESCRIPTION: &[SystemColumn] = columns! {
    objoid [OID], classoid [OID], objsubid [INT4], description [TEXT]
};

/// `pg_catalog.pg_enum`, oid 3501.
#[rustfmt::skip]
pub(super) static PG_ENUM: &[SystemColumn] = columns! {
    oid [OID], enumtypid [OID], enumsortorder [FLOAT4], enumlabel [NAME]
};

/// `pg_catalog.pg_event_trigger`, oid 3466.
#[rustfmt::skip]
pub(super) static PG_EVENT_TRIGGER: &[SystemColumn] = columns! {
    oid [OID], evtname [NAME], evtevent [NAME], evtowner [OID], evtfoid [OID], evtenabled [CHAR],
    evttags TEXT_ARRAY
};

/// `pg_catalog.pg_extension`, oid 3079.
#[rustfmt::skip]
pub(super) static PG_EXTENSION: &[SystemColumn] = columns! {
    oid [OID], extname [NAME], extowner [OID], extnamespace [OID], extrelocatable [BOOL],
    extversion [TEXT], extconfig OID_ARRAY, extcondition TEXT_ARRAY
};

/// `pg_catalog.pg_foreign_data_wrapper`, oid 2328.
#[rustfmt::skip]
pub(super) static PG_FOREIGN_DATA_WRAPPER: &[SystemColumn] = columns! {
    oid [OID], fdwname [NAME], fdwowner [OID], fdwhandler [OID], fdwvalidator [OID],
    fdwacl ACLITEM_ARRAY, fdwoptions TEXT_ARRAY
};

/// `pg_catalog.pg_foreign_server`, oid 1417.
#[rustfmt::skip]
pub(super) static PG_FOREIGN_SERVER: &[SystemColumn] = columns! {
    oid [OID], srvname [NAME], srvowner [OID], srvfdw [OID], srvtype TEXT, srvversion TEXT,
    srvacl ACLITEM_ARRAY, srvoptions TEXT_ARRAY
};

/// `pg_catalog.pg_foreign_table`, oid 3118.
#[rustfmt::skip]
pub(super) static PG_FOREIGN_TABLE: &[SystemColumn] = columns! {
    ftrelid [OID], ftserver [OID], ftoptions TEXT_ARRAY
};

/// `pg_catalog.pg_index`, oid 2610.
#[rustfmt::skip]
pub(super) static PG_INDEX: &[SystemColumn] = columns! {
    indexrelid [OID], indrelid [OID], indnatts [INT2], indnkeyatts [INT2], indisunique [BOOL],
    indnullsnotdistinct [BOOL], indisprimary [BOOL], indisexclusion [BOOL], indimmediate [BOOL],
    indisclustered [BOOL], indisvalid [BOOL], indcheckxmin [BOOL], indisready [BOOL],
    indislive [BOOL], indisreplident [BOOL], indkey [INT2VECTOR], indcollation [OIDVECTOR],
    indclass [OIDVECTOR], indoption [INT2VECTOR], indexprs PG_NODE_TREE, indpred PG_NODE_TREE
};

/// `pg_catalog.pg_inherits`, oid 2611.
#[rustfmt::skip]
pub(super) static PG_INHERITS: &[SystemColumn] = columns! {
    inhrelid [OID], inhparent [OID], inhseqno [INT4], inhdetachpending [BOOL]
};

/// `pg_catalog.pg_init_privs`, oid 3394.
#[rustfmt::skip]
pub(super) static PG_INIT_PRIVS: &[SystemColumn] = columns! {
    objoid [OID], classoid [OID], objsubid [INT4], privtype [CHAR], initprivs [ACLITEM_ARRAY]
};

/// `pg_catalog.pg_language`, oid 2612.
#[rustfmt::skip]
pub(super) static PG_LANGUAGE: &[SystemColumn] = columns! {
    oid [OID], lanname [NAME], lanowner [OID], lanispl [BOOL], lanpltrusted [BOOL],
    lanplcallfoid [OID], laninline [OID], lanvalidator [OID], lanacl ACLITEM_ARRAY
};

/// `pg_catalog.pg_largeobject_metadata`, oid 2995.
#[rustfmt::skip]
pub(super) static PG_LARGEOBJECT_METADATA: &[SystemColumn] = columns! {
    oid [OID], lomowner [OID], lomacl ACLITEM_ARRAY
};

/// `pg_catalog.pg_namespace`, oid 2615.
#[rustfmt::skip]
pub(super) static PG_NAMESPACE: &[SystemColumn] = columns! {
    oid [OID], nspname [NAME], nspowner [OID], nspacl ACLITEM_ARRAY
};

/// `pg_catalog.pg_opclass`, oid 2616.
#[rustfmt::skip]
pub(super) static PG_OPCLASS: &[SystemColumn] = columns! {
    oid [OID], opcmethod [OID], opcname [NAME], opcnamespace [OID], opcowner [OID], opcfamily [OID],
    opcintype [OID], opcdefault [BOOL], opckeytype [OID]
};

/// `pg_catalog.pg_operator`, oid 2617.
#[rustfmt::skip]
pub(super) static PG_OPERATOR: &[SystemColumn] = columns! {
    oid [OID], oprname [NAME], oprnamespace [OID], oprowner [OID], oprkind [CHAR], oprcanmerge [BOOL],
    oprcanhash [BOOL], oprleft [OID], oprright [OID], oprresult [OID], oprcom [OID], oprnegate [OID],
    oprcode [REGPROC], oprrest [REGPROC], oprjoin [REGPROC]
};

/// `pg_catalog.pg_opfamily`, oid 2753.
#[rustfmt::skip]
pub(super) static PG_OPFAMILY: &[SystemColumn] = columns! {
    oid [OID], opfmethod [OID], opfname [NAME], opfnamespace [OID], opfowner [OID]
};

/// `pg_catalog.pg_parameter_acl`, oid 6243.
#[rustfmt::skip]
pub(super) static PG_PARAMETER_ACL: &[SystemColumn] = columns! {
    oid [OID], parname [TEXT], paracl ACLITEM_ARRAY
};

/// `pg_catalog.pg_partitioned_table`, oid 3350.
#[rustfmt::skip]
pub(super) static PG_PARTITIONED_TABLE: &[SystemColumn] = columns! {
    partrelid [OID], partstrat [CHAR], partnatts [INT2], partdefid [OID], partattrs [INT2VECTOR],
    partclass [OIDVECTOR], partcollation [OIDVECTOR], partexprs PG_NODE_TREE
};

/// `pg_catalog.pg_policy`, oid 3256.
#[rustfmt::skip]
pub(super) static PG_POLICY: &[SystemColumn] = columns! {
    oid [OID], polname [NAME], polrelid [OID], polcmd [CHAR], polpermissive [BOOL],
    polroles [OID_ARRAY], polqual PG_NODE_TREE, polwithcheck PG_NODE_TREE
};

/// `pg_catalog.pg_proc`, oid 1255.
#[rustfmt::skip]
pub(super) static PG_PROC: &[SystemColumn] = columns! {
    oid [OID], proname [NAME], pronamespace [OID], proowner [OID], prolang [OID], procost [FLOAT4],
    prorows [FLOAT4], provariadic [OID], prosupport [REGPROC], prokind [CHAR], prosecdef [BOOL],
    proleakproof [BOOL], proisstrict [BOOL], proretset [BOOL], provolatile [CHAR], proparallel [CHAR],
    pronargs [INT2], pronargdefaults [INT2], prorettype [OID], proargtypes [OIDVECTOR],
    proallargtypes OID_ARRAY, proargmodes CHAR_ARRAY, proargnames TEXT_ARRAY,
    proargdefaults PG_NODE_TREE, protrftypes OID_ARRAY, prosrc [TEXT], probin TEXT,
    prosqlbody PG_NODE_TREE, proconfig TEXT_ARRAY, proacl ACLITEM_ARRAY
};

/// `pg_catalog.pg_publication`, oid 6104.
#[rustfmt::skip]
pub(super) static PG_PUBLICATION: &[SystemColumn] = columns! {
    oid [OID], pubname [NAME], pubowner [OID], puballtables [BOOL], pubinsert [BOOL],
    pubupdate [BOOL], pubdelete [BOOL], pubtruncate [BOOL], pubviaroot [BOOL]
};

/// `pg_catalog.pg_publication_namespace`, oid 6237.
#[rustfmt::skip]
pub(super) static PG_PUBLICATION_NAMESPACE: &[SystemColumn] = columns! {
    oid [OID], pnpubid [OID], pnnspid [OID]
};

/// `pg_catalog.pg_publication_rel`, oid 6106.
#[rustfmt::skip]
pub(super) static PG_PUBLICATION_REL: &[SystemColumn] = columns! {
    oid [OID], prpubid [OID], prrelid [OID], prqual PG_NODE_TREE, prattrs INT2VECTOR
};

/// `pg_catalog.pg_range`, oid 3541.
#[rustfmt::skip]
pub(super) static PG_RANGE: &[SystemColumn] = columns! {
    rngtypid [OID], rngsubtype [OID], rngmultitypid [OID], rngcollation [OID], rngsubopc [OID],
    rngcanonical [REGPROC], rngsubdiff [REGPROC]
};

/// `pg_catalog.pg_replication_origin`, oid 6000.
#[rustfmt::skip]
pub(super) static PG_REPLICATION_ORIGIN: &[SystemColumn] = columns! {
    roident [OID], roname [TEXT]
};

/// `pg_catalog.pg_rewrite`, oid 2618.
#[rustfmt::skip]
pub(super) static PG_REWRITE: &[SystemColumn] = columns! {
    oid [OID], rulename [NAME], ev_class [OID], ev_type [CHAR], ev_enabled [CHAR], is_instead [BOOL],
    ev_qual [PG_NODE_TREE], ev_action [PG_NODE_TREE]
};

/// `pg_catalog.pg_seclabel`, oid 3596.
#[rustfmt::skip]
pub(super) static PG_SECLABEL: &[SystemColumn] = columns! {
    objoid [OID], classoid [OID], objsubid [INT4], provider [TEXT], label [TEXT]
};

/// `pg_catalog.pg_sequence`, oid 2224.
#[rustfmt::skip]
pub(super) static PG_SEQUENCE: &[SystemColumn] = columns! {
    seqrelid [OID], seqtypid [OID], seqstart [INT8], seqincrement [INT8], seqmax [INT8],
    seqmin [INT8], seqcache [INT8], seqcycle [BOOL]
};

/// `pg_catalog.pg_shdepend`, oid 1214.
#[rustfmt::skip]
pub(super) static PG_SHDEPEND: &[SystemColumn] = columns! {
    dbid [OID], classid [OID], objid [OID], objsubid [INT4], refclassid [OID], refobjid [OID],
    deptype [CHAR]
};

/// `pg_catalog.pg_shdescription`, oid 2396.
#[rustfmt::skip]
pub(super) static PG_SHDESCRIPTION: &[SystemColumn] = columns! {
    objoid [OID], classoid [OID], description [TEXT]
};

/// `pg_catalog.pg_shseclabel`, oid 3592.
#[rustfmt::skip]
pub(super) static PG_SHSECLABEL: &[SystemColumn] = columns! {
    objoid [OID], classoid [OID], provider [TEXT], label [TEXT]
};

/// `pg_catalog.pg_statistic`, oid 2619.
#[rustfmt::skip]
pub(super) static PG_STATISTIC: &[SystemColumn] = columns! {
    starelid [OID], staattnum [INT2], stainherit [BOOL], stanullfrac [FLOAT4], stawidth [INT4],
    stadistinct [FLOAT4], stakind1 [INT2], stakind2 [INT2], stakind3 [INT2], stakind4 [INT2],
    stakind5 [INT2], staop1 [OID], staop2 [OID], staop3 [OID], staop4 [OID], staop5 [OID],
    stacoll1 [OID], stacoll2 [OID], stacoll3 [OID], stacoll4 [OID], stacoll5 [OID],
    stanumbers1 FLOAT4_ARRAY, stanumbers2 FLOAT4_ARRAY, stanumbers3 FLOAT4_ARRAY,
    stanumbers4 FLOAT4_ARRAY, stanumbers5 FLOAT4_ARRAY, stavalues1 ANYARRAY, stavalues2 ANYARRAY,
    stavalues3 ANYARRAY, stavalues4 ANYARRAY, stavalues5 ANYARRAY
};

/// `pg_catalog.pg_statistic_ext`, oid 3381.
#[rustfmt::skip]
pub(super) static PG_STATISTIC_EXT: &[SystemColumn] = columns! {
    oid [OID], stxrelid [OID], stxname [NAME], stxnamespace [OID], stxowner [OID],
    stxstattarget [INT4], stxkeys [INT2VECTOR], stxkind [CHAR_ARRAY], stxexprs PG_NODE_TREE
};

/// `pg_catalog.pg_statistic_ext_data`, oid 3429.
#[rustfmt::skip]
pub(super) static PG_STATISTIC_EXT_DATA: &[SystemColumn] = columns! {
    stxoid [OID], stxdinherit [BOOL], stxdndistinct (3361), stxddependencies (3402), stxdmcv (5017),
    stxdexpr (10028)
};

/// `pg_catalog.pg_subscription`, oid 6100.
#[rustfmt::skip]
pub(super) static PG_SUBSCRIPTION: &[SystemColumn] = columns! {
    oid [OID], subdbid [OID], subskiplsn [(3220)], subname [NAME], subowner [OID], subenabled [BOOL],
    subbinary [BOOL], substream [BOOL], subtwophasestate [CHAR], subdisableonerr [BOOL],
    subconninfo [TEXT], subslotname NAME, subsynccommit [TEXT], subpublications [TEXT_ARRAY]
};

/// `pg_catalog.pg_subscription_rel`, oid 6102.
#[rustfmt::skip]
pub(super) static PG_SUBSCRIPTION_REL: &[SystemColumn] = columns! {
    srsubid [OID], srrelid [OID], srsubstate [CHAR], srsublsn (3220)
};

/// `pg_catalog.pg_tablespace`, oid 1213.
#[rustfmt::skip]
pub(super) static PG_TABLESPACE: &[SystemColumn] = columns! {
    oid [OID], spcname [NAME], spcowner [OID], spcacl ACLITEM_ARRAY, spcoptions TEXT_ARRAY
};

/// `pg_catalog.pg_transform`, oid 3576.
#[rustfmt::skip]
pub(super) static PG_TRANSFORM: &[SystemColumn] = columns! {
    oid [OID], trftype [OID], trflang [OID], trffromsql [REGPROC], trftosql [REGPROC]
};

/// `pg_catalog.pg_trigger`, oid 2620.
#[rustfmt::skip]
pub(super) static PG_TRIGGER: &[SystemColumn] = columns! {
    oid [OID], tgrelid [OID], tgparentid [OID], tgname [NAME], tgfoid [OID], tgtype [INT2],
    tgenabled [CHAR], tgisinternal [BOOL], tgconstrrelid [OID], tgconstrindid [OID],
    tgconstraint [OID], tgdeferrable [BOOL], tginitdeferred [BOOL], tgnargs [INT2],
    tgattr [INT2VECTOR], tgargs [BYTEA], tgqual PG_NODE_TREE, tgoldtable NAME, tgnewtable NAME
};

/// `pg_catalog.pg_ts_config`, oid 3602.
#[rustfmt::skip]
pub(super) static PG_TS_CONFIG: &[SystemColumn] = columns! {
    oid [OID], cfgname [NAME], cfgnamespace [OID], cfgowner [OID], cfgparser [OID]
};

/// `pg_catalog.pg_ts_config_map`, oid 3603.
#[rustfmt::skip]
pub(super) static PG_TS_CONFIG_MAP: &[SystemColumn] = columns! {
    mapcfg [OID], maptokentype [INT4], mapseqno [INT4], mapdict [OID]
};

/// `pg_catalog.pg_ts_dict`, oid 3600.
#[rustfmt::skip]
pub(super) static PG_TS_DICT: &[SystemColumn] = columns! {
    oid [OID], dictname [NAME], dictnamespace [OID], dictowner [OID], dicttemplate [OID],
    dictinitoption TEXT
};

/// `pg_catalog.pg_ts_parser`, oid 3601.
#[rustfmt::skip]
pub(super) static PG_TS_PARSER: &[SystemColumn] = columns! {
    oid [OID], prsname [NAME], prsnamespace [OID], prsstart [REGPROC], prstoken [REGPROC],
    prsend [REGPROC], prsheadline [REGPROC], prslextype [REGPROC]
};

/// `pg_catalog.pg_ts_template`, oid 3764.
#[rustfmt::skip]
pub(super) static PG_TS_TEMPLATE: &[SystemColumn] = columns! {
    oid [OID], tmplname [NAME], tmplnamespace [OID], tmplinit [REGPROC], tmpllexize [REGPROC]
};

/// `pg_catalog.pg_type`, oid 1247.
#[rustfmt::skip]
pub(super) static PG_TYPE: &[SystemColumn] = columns! {
    oid [OID], typname [NAME], typnamespace [OID], typowner [OID], typlen [INT2], typbyval [BOOL],
    typtype [CHAR], typcategory [CHAR], typispreferred [BOOL], typisdefined [BOOL], typdelim [CHAR],
    typrelid [OID], typsubscript [REGPROC], typelem [OID], typarray [OID], typinput [REGPROC],
    typoutput [REGPROC], typreceive [REGPROC], typsend [REGPROC], typmodin [REGPROC],
    typmodout [REGPROC], typanalyze [REGPROC], typalign [CHAR], typstorage [CHAR], typnotnull [BOOL],
    typbasetype [OID], typtypmod [INT4], typndims [INT4], typcollation [OID],
    typdefaultbin PG_NODE_TREE, typdefault TEXT, typacl ACLITEM_ARRAY
};

/// `pg_catalog.pg_user_mapping`, oid 1418.
#[rustfmt::skip]
pub(super) static PG_USER_MAPPING: &[SystemColumn] = columns! {
    oid [OID], umuser [OID], umserver [OID], umoptions TEXT_ARRAY
};
