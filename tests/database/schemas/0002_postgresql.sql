SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE TYPE public.studydirection AS ENUM (
    'NOT_SET',
    'MINIMIZE',
    'MAXIMIZE'
);
CREATE TYPE public.trialintermediatevaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG',
    'NAN'
);
CREATE TYPE public.trialstate AS ENUM (
    'RUNNING',
    'COMPLETE',
    'PRUNED',
    'FAIL',
    'WAITING'
);
CREATE TYPE public.trialvaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG'
);
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.amnl_attempts (
    id integer NOT NULL,
    run integer NOT NULL,
    fence integer NOT NULL,
    worker character varying NOT NULL,
    started_at double precision NOT NULL,
    epochs_before integer NOT NULL,
    ended_at double precision,
    epochs_after integer,
    outcome character varying(32),
    reason text
);
CREATE SEQUENCE public.amnl_attempts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.amnl_attempts_id_seq OWNED BY public.amnl_attempts.id;
CREATE TABLE public.amnl_epochs (
    run integer NOT NULL,
    number integer NOT NULL,
    train_rul_loss double precision,
    train_health_loss double precision,
    learning_rate double precision NOT NULL,
    validation_rmse double precision,
    best_validation_rmse double precision,
    samples integer NOT NULL,
    seconds double precision NOT NULL,
    recorded_at double precision NOT NULL,
    study character varying NOT NULL,
    bracket integer,
    bin integer NOT NULL,
    reported double precision NOT NULL,
    pruned boolean NOT NULL
);
CREATE TABLE public.amnl_promotions (
    id integer NOT NULL,
    study character varying NOT NULL,
    number integer NOT NULL,
    fingerprint character varying NOT NULL,
    created_at double precision NOT NULL
);
CREATE SEQUENCE public.amnl_promotions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.amnl_promotions_id_seq OWNED BY public.amnl_promotions.id;
CREATE TABLE public.amnl_range_tests (
    key character varying NOT NULL,
    dataset character varying NOT NULL,
    data_sha256 character varying NOT NULL,
    config text NOT NULL,
    options text NOT NULL,
    curve text NOT NULL,
    suggestions text NOT NULL,
    seconds double precision NOT NULL,
    created_at double precision NOT NULL
);
CREATE TABLE public.amnl_runs (
    id integer NOT NULL,
    study character varying NOT NULL,
    promotion integer NOT NULL,
    slot integer NOT NULL,
    origin character varying(32) NOT NULL,
    trial_number integer,
    seed bigint NOT NULL,
    config text,
    status character varying(32) NOT NULL,
    owner character varying,
    fence integer NOT NULL,
    expires_at double precision,
    failures integer NOT NULL,
    epochs integer NOT NULL,
    epochs_done integer NOT NULL,
    value double precision,
    reason text,
    result text,
    started_at double precision,
    finished_at double precision,
    trial_id integer,
    bracket integer DEFAULT 0 NOT NULL,
    busy_seconds double precision DEFAULT '0'::double precision NOT NULL
);
CREATE SEQUENCE public.amnl_runs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.amnl_runs_id_seq OWNED BY public.amnl_runs.id;
CREATE TABLE public.amnl_schema_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.amnl_studies (
    name character varying NOT NULL,
    spec text NOT NULL,
    fingerprint character varying NOT NULL,
    dataset character varying NOT NULL,
    data_sha256 character varying NOT NULL,
    created_at double precision NOT NULL,
    started_at double precision,
    prepared_at double precision,
    range_test_key character varying,
    suggested_lr double precision,
    prior_low double precision,
    prior_high double precision,
    stopped_at double precision,
    wall_time double precision,
    busy_limit double precision,
    busy_seconds double precision DEFAULT '0'::double precision NOT NULL
);
CREATE TABLE public.amnl_tallies (
    study character varying NOT NULL,
    bracket integer NOT NULL,
    number integer NOT NULL,
    bin integer NOT NULL,
    trials integer NOT NULL
);
CREATE TABLE public.amnl_test_scores (
    id integer NOT NULL,
    promotion_id integer NOT NULL,
    look integer NOT NULL,
    forced boolean NOT NULL,
    scored_by character varying NOT NULL,
    scored_at double precision NOT NULL,
    data_sha256 character varying NOT NULL,
    scores text NOT NULL
);
CREATE SEQUENCE public.amnl_test_scores_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.amnl_test_scores_id_seq OWNED BY public.amnl_test_scores.id;
CREATE TABLE public.amnl_workers (
    id character varying NOT NULL,
    study character varying NOT NULL,
    host character varying NOT NULL,
    pid integer NOT NULL,
    process_started double precision NOT NULL,
    device character varying NOT NULL,
    threads integer NOT NULL,
    version character varying NOT NULL,
    started_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    stopped_at double precision,
    optuna_version character varying,
    torch_version character varying,
    accelerators double precision DEFAULT '1'::double precision NOT NULL,
    clock_skew double precision,
    artifacts text
);
CREATE TABLE public.studies (
    study_id integer NOT NULL,
    study_name character varying(512) NOT NULL
);
CREATE SEQUENCE public.studies_study_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.studies_study_id_seq OWNED BY public.studies.study_id;
CREATE TABLE public.study_directions (
    study_direction_id integer NOT NULL,
    direction public.studydirection NOT NULL,
    study_id integer NOT NULL,
    objective integer NOT NULL
);
CREATE SEQUENCE public.study_directions_study_direction_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_directions_study_direction_id_seq OWNED BY public.study_directions.study_direction_id;
CREATE TABLE public.study_system_attributes (
    study_system_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_system_attributes_study_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_system_attributes_study_system_attribute_id_seq OWNED BY public.study_system_attributes.study_system_attribute_id;
CREATE TABLE public.study_user_attributes (
    study_user_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_user_attributes_study_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_user_attributes_study_user_attribute_id_seq OWNED BY public.study_user_attributes.study_user_attribute_id;
CREATE TABLE public.trial_heartbeats (
    trial_heartbeat_id integer NOT NULL,
    trial_id integer NOT NULL,
    heartbeat timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq OWNED BY public.trial_heartbeats.trial_heartbeat_id;
CREATE TABLE public.trial_intermediate_values (
    trial_intermediate_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    step integer NOT NULL,
    intermediate_value double precision,
    intermediate_value_type public.trialintermediatevaluetype NOT NULL
);
CREATE SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq OWNED BY public.trial_intermediate_values.trial_intermediate_value_id;
CREATE TABLE public.trial_params (
    param_id integer NOT NULL,
    trial_id integer,
    param_name character varying(512),
    param_value double precision,
    distribution_json text
);
CREATE SEQUENCE public.trial_params_param_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_params_param_id_seq OWNED BY public.trial_params.param_id;
CREATE TABLE public.trial_system_attributes (
    trial_system_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq OWNED BY public.trial_system_attributes.trial_system_attribute_id;
CREATE TABLE public.trial_user_attributes (
    trial_user_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq OWNED BY public.trial_user_attributes.trial_user_attribute_id;
CREATE TABLE public.trial_values (
    trial_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    objective integer NOT NULL,
    value double precision,
    value_type public.trialvaluetype NOT NULL
);
CREATE SEQUENCE public.trial_values_trial_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_values_trial_value_id_seq OWNED BY public.trial_values.trial_value_id;
CREATE TABLE public.trials (
    trial_id integer NOT NULL,
    number integer,
    study_id integer,
    state public.trialstate NOT NULL,
    datetime_start timestamp without time zone,
    datetime_complete timestamp without time zone
);
CREATE SEQUENCE public.trials_trial_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trials_trial_id_seq OWNED BY public.trials.trial_id;
CREATE TABLE public.version_info (
    version_info_id integer NOT NULL,
    schema_version integer,
    library_version character varying(256),
    CONSTRAINT version_info_version_info_id_check CHECK ((version_info_id = 1))
);
ALTER TABLE ONLY public.amnl_attempts ALTER COLUMN id SET DEFAULT nextval('public.amnl_attempts_id_seq'::regclass);
ALTER TABLE ONLY public.amnl_promotions ALTER COLUMN id SET DEFAULT nextval('public.amnl_promotions_id_seq'::regclass);
ALTER TABLE ONLY public.amnl_runs ALTER COLUMN id SET DEFAULT nextval('public.amnl_runs_id_seq'::regclass);
ALTER TABLE ONLY public.amnl_test_scores ALTER COLUMN id SET DEFAULT nextval('public.amnl_test_scores_id_seq'::regclass);
ALTER TABLE ONLY public.studies ALTER COLUMN study_id SET DEFAULT nextval('public.studies_study_id_seq'::regclass);
ALTER TABLE ONLY public.study_directions ALTER COLUMN study_direction_id SET DEFAULT nextval('public.study_directions_study_direction_id_seq'::regclass);
ALTER TABLE ONLY public.study_system_attributes ALTER COLUMN study_system_attribute_id SET DEFAULT nextval('public.study_system_attributes_study_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.study_user_attributes ALTER COLUMN study_user_attribute_id SET DEFAULT nextval('public.study_user_attributes_study_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_heartbeats ALTER COLUMN trial_heartbeat_id SET DEFAULT nextval('public.trial_heartbeats_trial_heartbeat_id_seq'::regclass);
ALTER TABLE ONLY public.trial_intermediate_values ALTER COLUMN trial_intermediate_value_id SET DEFAULT nextval('public.trial_intermediate_values_trial_intermediate_value_id_seq'::regclass);
ALTER TABLE ONLY public.trial_params ALTER COLUMN param_id SET DEFAULT nextval('public.trial_params_param_id_seq'::regclass);
ALTER TABLE ONLY public.trial_system_attributes ALTER COLUMN trial_system_attribute_id SET DEFAULT nextval('public.trial_system_attributes_trial_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_user_attributes ALTER COLUMN trial_user_attribute_id SET DEFAULT nextval('public.trial_user_attributes_trial_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_values ALTER COLUMN trial_value_id SET DEFAULT nextval('public.trial_values_trial_value_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN trial_id SET DEFAULT nextval('public.trials_trial_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES
	('v3.2.0.a');
INSERT INTO public.amnl_attempts VALUES
	(1, 1, 1, 'befeb6ee8508', 1795518141.84213, 0, 1795518143.462639, 9, 'finished', NULL),
	(2, 2, 1, 'befeb6ee8508', 1795518143.472479, 0, 1795518143.903591, 9, 'finished', NULL),
	(3, 3, 1, 'befeb6ee8508', 1795518143.91084, 0, 1795518144.240475, 9, 'finished', NULL),
	(4, 4, 1, 'befeb6ee8508', 1795518144.248171, 0, 1795518144.364655, 2, 'finished', NULL),
	(5, 5, 1, 'befeb6ee8508', 1795518144.375211, 0, 1795518144.702281, 9, 'finished', NULL),
	(6, 6, 1, 'befeb6ee8508', 1795518144.709714, 0, 1795518144.825104, 2, 'finished', NULL),
	(7, 7, 1, 'befeb6ee8508', 1795518145.343516, 0, 1795518145.48645, 4, 'finished', NULL),
	(8, 8, 1, 'befeb6ee8508', 1795518145.492995, 0, 1795518145.634432, 4, 'finished', NULL),
	(9, 9, 1, 'ba27e6cee266', 1795518153.503891, 0, 1795518154.788118, 1, 'released', NULL);
INSERT INTO public.amnl_epochs VALUES
	(1, 1, 2162.18359375, 1.0895040035247803, 0.001, 39.140333945871426, 39.140333945871426, 93, 0.08310495700061438, 1795518143.159933, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 2, 2158.742431640625, 1.0809905529022217, 0.001, 39.14423909906108, 39.140333945871426, 93, 0.024193976001697592, 1795518143.201199, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 3, 2147.902099609375, 1.0742158889770508, 0.001, 39.14791274911535, 39.140333945871426, 93, 0.01971821800179896, 1795518143.233368, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 4, 2151.24072265625, 1.050389289855957, 0.001, 39.15174081846028, 39.140333945871426, 93, 0.018428903000312857, 1795518143.263264, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 5, 2147.0048828125, 1.0421686172485352, 0.001, 39.1560564906615, 39.140333945871426, 93, 0.018840875000023516, 1795518143.293036, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 6, 2142.90771484375, 1.042198657989502, 0.0007525000000000001, 39.16063828918186, 39.140333945871426, 93, 0.018557814000814687, 1795518143.323177, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 7, 2122.128662109375, 1.0317871570587158, 3.985215271097544e-05, 39.163764894705054, 39.140333945871426, 93, 0.01841910799703328, 1795518143.352373, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 8, 2121.1005859375, 1.0302633047103882, 1e-05, 39.16491347782307, 39.140333945871426, 93, 0.018523613001889316, 1795518143.381874, 'tiny', 0, 1354, 39.140333945871426, false),
	(1, 9, 2147.645751953125, 1.0364973545074463, 1e-05, 39.16534751649152, 39.140333945871426, 93, 0.018464314998709597, 1795518143.427308, 'tiny', 0, 1354, 39.140333945871426, false),
	(2, 1, 2099.30810546875, 1.0546857118606567, 0.0005736149768798778, 39.13963300889419, 39.13963300889419, 93, 0.03536869299932732, 1795518143.538293, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 2, 2147.97705078125, 1.0377637147903442, 0.0005736149768798778, 39.141525310941155, 39.13963300889419, 93, 0.03168940899922745, 1795518143.582926, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 3, 2113.098388671875, 1.0184797048568726, 0.0005736149768798778, 39.14423832600366, 39.13963300889419, 93, 0.029166111002268735, 1795518143.623267, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 4, 2145.439208984375, 0.9992085695266724, 0.0005736149768798778, 39.146856575771245, 39.13963300889419, 93, 0.02922736199980136, 1795518143.663375, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 5, 2108.83251953125, 0.9806790947914124, 0.0005736149768798778, 39.14986406961714, 39.13963300889419, 93, 0.02916667099998449, 1795518143.703007, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 6, 2133.459228515625, 0.9641433954238892, 0.0004316452701021082, 39.153427396225055, 39.13963300889419, 93, 0.02849666600013734, 1795518143.741949, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 7, 2115.167236328125, 0.9587984085083008, 2.285979165591954e-05, 39.15583242384534, 39.13963300889419, 93, 0.02890524300164543, 1795518143.781384, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 8, 2116.789794921875, 0.941006064414978, 5.7361497687987785e-06, 39.15671141730742, 39.13963300889419, 93, 0.029233990997454384, 1795518143.822142, 'tiny', 0, 1354, 39.13963300889419, false),
	(2, 9, 2139.474609375, 0.9463608264923096, 5.7361497687987785e-06, 39.156985746328964, 39.13963300889419, 93, 0.029521319000195945, 1795518143.875545, 'tiny', 0, 1354, 39.13963300889419, false),
	(3, 1, 2162.281494140625, 1.0914896726608276, 0.00041745635191057275, 39.13849550758375, 39.13849550758375, 93, 0.02184727000349085, 1795518143.961415, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 2, 2159.46484375, 1.0892337560653687, 0.00041745635191057275, 39.13989970847642, 39.13849550758375, 93, 0.018775406999338884, 1795518143.991219, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 3, 2149.311279296875, 1.0876355171203613, 0.00041745635191057275, 39.14138324846188, 39.13849550758375, 93, 0.019595866000599926, 1795518144.021613, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 4, 2153.01513671875, 1.0711352825164795, 0.00041745635191057275, 39.14296506996977, 39.13849550758375, 93, 0.019858206000208156, 1795518144.052192, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 5, 2149.64404296875, 1.06803297996521, 0.00041745635191057275, 39.14457391034753, 39.13849550758375, 93, 0.019355439002538333, 1795518144.082142, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 6, 2146.081787109375, 1.072422981262207, 0.00031413590481270604, 39.1459639238548, 39.13849550758375, 93, 0.018857669001590693, 1795518144.111178, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 7, 2126.529052734375, 1.0672799348831177, 1.663653428650685e-05, 39.146791887298015, 39.13849550758375, 93, 0.020294152996939374, 1795518144.141722, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 8, 2125.367431640625, 1.0656449794769287, 4.174563519105728e-06, 39.14707619779095, 39.13849550758375, 93, 0.018850149001082173, 1795518144.171443, 'tiny', 0, 1354, 39.13849550758375, false),
	(3, 9, 2152.27001953125, 1.0699044466018677, 4.174563519105728e-06, 39.147176580860005, 39.13849550758375, 93, 0.01938181799778249, 1795518144.21133, 'tiny', 0, 1354, 39.13849550758375, false),
	(4, 1, 2098.66064453125, 0.9647847414016724, 0.017940720280486867, 39.197529848972835, 39.197529848972835, 93, 0.030510668002534658, 1795518144.308117, 'tiny', 0, 1354, 39.197529848972835, false),
	(4, 2, 2130.443115234375, 0.9235153794288635, 0.017940720280486867, 39.301808630316856, 39.197529848972835, 93, 0.03071092500249506, 1795518144.349938, 'tiny', 0, 1354, 39.197529848972835, true),
	(5, 1, 2162.33349609375, 1.0925248861312866, 0.00011195064021316776, 39.137596273783934, 39.137596273783934, 93, 0.019844334998197155, 1795518144.425072, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 2, 2159.812744140625, 1.0935721397399902, 0.00011195064021316776, 39.13795034074198, 39.137596273783934, 93, 0.01950381899951026, 1795518144.455935, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 3, 2149.99462890625, 1.0948141813278198, 0.00011195064021316776, 39.138303456129755, 39.137596273783934, 93, 0.01971002500067698, 1795518144.486245, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 4, 2153.833984375, 1.0828807353973389, 0.00011195064021316776, 39.13862507371183, 39.137596273783934, 93, 0.02007586900072056, 1795518144.516835, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 5, 2150.865966796875, 1.0831208229064941, 0.00011195064021316776, 39.13898052741615, 39.137596273783934, 93, 0.01935479800158646, 1795518144.546676, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 6, 2147.481689453125, 1.0898711681365967, 8.424285676040875e-05, 39.13931613017351, 39.137596273783934, 93, 0.019348779002029914, 1795518144.576494, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 7, 2128.361083984375, 1.087831735610962, 4.4614740098666295e-06, 39.13951619528011, 39.137596273783934, 93, 0.01960824399793637, 1795518144.606476, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 8, 2127.20068359375, 1.0862953662872314, 1.1195064021316776e-06, 39.13958102780511, 39.137596273783934, 93, 0.019113329999527195, 1795518144.636481, 'tiny', 0, 1354, 39.137596273783934, false),
	(5, 9, 2154.248779296875, 1.0895979404449463, 1.1195064021316776e-06, 39.139603640777565, 39.137596273783934, 93, 0.019642875999124954, 1795518144.67551, 'tiny', 0, 1354, 39.137596273783934, false),
	(6, 1, 2101.8154296875, 0.9857629537582397, 0.08703418007286708, 39.21015014010966, 39.21015014010966, 93, 0.030750735000765417, 1795518144.770042, 'tiny', 0, 1355, 39.21015014010966, false),
	(6, 2, 2135.795166015625, 0.9112379550933838, 0.08703418007286708, 39.22424650402043, 39.21015014010966, 93, 0.02987529399979394, 1795518144.810697, 'tiny', 0, 1355, 39.21015014010966, true),
	(7, 1, 2132.232666015625, 1.1298173666000366, 0.00011195064021316776, 39.12337409769771, 39.12337409769771, 93, 0.01874501199927181, 1795518145.374448, 'tiny', NULL, 1354, 39.12337409769771, false),
	(7, 2, 2154.966552734375, 1.1266639232635498, 0.00011195064021316776, 39.12364005061819, 39.12337409769771, 93, 0.01921044300252106, 1795518145.405671, 'tiny', NULL, 1354, 39.12337409769771, false),
	(7, 3, 2156.291259765625, 1.1252155303955078, 1.735035016546111e-05, 39.1238902737685, 39.12337409769771, 93, 0.018102617999829818, 1795518145.432357, 'tiny', NULL, 1354, 39.12337409769771, false),
	(7, 4, 2147.47705078125, 1.1239540576934814, 1.1195064021316776e-06, 39.123929073630876, 39.12337409769771, 93, 0.017812426998716546, 1795518145.468313, 'tiny', NULL, 1354, 39.12337409769771, false),
	(8, 1, 2132.135498046875, 1.1258975267410278, 0.001, 39.125676234091166, 39.125676234091166, 93, 0.01935500800027512, 1795518145.52287, 'tiny', NULL, 1354, 39.125676234091166, false),
	(8, 2, 2154.036865234375, 1.1124508380889893, 0.001, 39.12813351359479, 39.125676234091166, 93, 0.018421361997752683, 1795518145.552545, 'tiny', NULL, 1354, 39.125676234091166, false),
	(8, 3, 2154.815185546875, 1.0996394157409668, 0.00015498214331265917, 39.13040020798469, 39.125676234091166, 93, 0.01849713399860775, 1795518145.581334, 'tiny', NULL, 1354, 39.125676234091166, false),
	(8, 4, 2145.74853515625, 1.0959293842315674, 1e-05, 39.13086651175915, 39.125676234091166, 93, 0.018739192997600185, 1795518145.617707, 'tiny', NULL, 1354, 39.125676234091166, false),
	(9, 1, 2099.532958984375, 0.9926970601081848, 0.01769534511344635, 39.20405499700265, 39.20405499700265, 93, 0.09236591200169642, 1795518154.770025, 'tiny', 0, 1354, 39.20405499700265, false);
INSERT INTO public.amnl_promotions VALUES
	(1, 'tiny', 1, '572dc10b12ae686cf3458e0ff50d8f0aef3692f1c0ba1ad3f61ec72ec0420329', 1795518145.156828);
INSERT INTO public.amnl_range_tests VALUES
	('4003901b7f54db568b53074406dbe98abdd23924947f7c134aae6ecd8d3af87f', 'SIM1', '3b33e9726a584bd5cf9889bf49c3e1fd37350dcf2379cd2208c46572a76eaf04', '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', '{"start_lr": 1e-06, "end_lr": 10.0, "num_iter": 60, "diverge_th": 5.0}', '{"lr": [1e-06, 1.3141473626117563e-06, 1.7269832906594347e-06, 2.269510536694669e-06, 2.9824712862168905e-06, 3.919406774847219e-06, 5.1506780761681235e-06, 6.768750009458534e-06, 8.895134973108232e-06, 1.1689518164985782e-05, 1.5361749466718277e-05, 2.0187602546790388e-05, 2.6529484644318966e-05, 3.486365227678085e-05, 4.5815976690544915e-05, 6.0208944933361284e-05, 7.912342618981321e-05, 0.00010397984184814901, 0.0001366448349295326, 0.00017957144943716392, 0.00023598334667821936, 0.0003101168926574778, 0.0004075392965871776, 0.00053556669177069, 0.0007038135554931558, 0.000924914727721733, 0.0012154742500762863, 0.0015973122800602543, 0.0020991037201085546, 0.0027585316176291837, 0.0036251170499885313, 0.004763938010401344, 0.00626051657201482, 0.008227241341700463, 0.010811807510766082, 0.014208308325339215, 0.018671810912919213, 0.02453751106639817, 0.03224590545296392, 0.04237587160604064, 0.05568813990945267, 0.07318242219076179, 0.0961724871115296, 0.12638482029342968, 0.16608827826277156, 0.2182644728397486, 0.2868316813342012, 0.37693909753883603, 0.49535352089591744, 0.6509675230458171, 0.8554672535565676, 1.124210035062087], "loss": [2.0, 1.9277058839797974, 2.002471685409546, 2.216991901397705, 1.7576795816421509, 2.1641571521759033, 2.312577247619629, 2.0025906562805176, 2.176015615463257, 2.109408140182495, 2.157010078430176, 2.3374009132385254, 1.9410706758499146, 1.9878711700439453, 2.4588468074798584, 1.9818928241729736, 2.2295234203338623, 2.201303720474243, 2.223722219467163, 2.360883951187134, 2.0803682804107666, 2.4588944911956787, 2.11423921585083, 2.146667718887329, 2.347919464111328, 2.330009937286377, 1.9724394083023071, 2.053659439086914, 1.936391830444336, 2.3071248531341553, 2.4910407066345215, 1.8327832221984863, 1.7632337808609009, 2.4521615505218506, 1.9760332107543945, 2.2141809463500977, 2.068232536315918, 2.1606149673461914, 2.2721405029296875, 1.8828580379486084, 1.9111442565917969, 2.3172101974487305, 1.6789355278015137, 2.1738576889038086, 1.8980611562728882, 2.1158971786499023, 1.995656967163086, 1.994968056678772, 1.7750413417816162, 2.156670093536377, 1.8995568752288818, 101.29782104492188]}', '{"steepest": null, "valley": null, "minimum/10": null}', 1.565881361002539, 1795518139.560259);
INSERT INTO public.amnl_runs VALUES
	(2, 'tiny', 0, 1, 'sampler', 1, 7, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":2,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.0005736149768798778,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', 'complete', NULL, 1, NULL, 0, 9, 9, 39.13963300889419, NULL, '{"rmse": 39.13963300889419, "nasa_score": 145.83076372774656, "rmse_all_windows": 42.07448670133053}', 1795518143.472479, 1795518143.903591, 2, 0, 0.27077546500004246),
	(1, 'tiny', 0, 0, 'published defaults', 0, 7, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', 'complete', NULL, 1, NULL, 0, 9, 9, 39.140333945871426, NULL, '{"rmse": 39.140333945871426, "nasa_score": 145.79435417831675, "rmse_all_windows": 42.07335416213006}', 1795518141.84213, 1795518143.462639, 1, 0, 0.23825177900289418),
	(3, 'tiny', 0, 2, 'sampler', 2, 7, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00041745635191057275,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', 'complete', NULL, 1, NULL, 0, 9, 9, 39.13849550758375, NULL, '{"rmse": 39.13849550758375, "nasa_score": 146.06888019867566, "rmse_all_windows": 42.07588114412839}', 1795518143.91084, 1795518144.240475, 3, 0, 0.17681597700357088),
	(5, 'tiny', 0, 4, 'sampler', 4, 7, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00011195064021316776,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', 'complete', NULL, 1, NULL, 0, 9, 9, 39.137596273783934, NULL, '{"rmse": 39.137596273783934, "nasa_score": 146.20208156603775, "rmse_all_windows": 42.07711367851171}', 1795518144.375211, 1795518144.702281, 5, 0, 0.17620207499930984),
	(4, 'tiny', 0, 3, 'sampler', 3, 7, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":2,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.017940720280486867,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', 'pruned', NULL, 1, NULL, 0, 9, 2, 39.197529848972835, NULL, NULL, 1795518144.248171, 1795518144.364655, 4, 0, 0.06122159300502972),
	(8, 'tiny', 1, 1, 'published defaults', 0, 42, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":42,"epochs":4,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":null,"min_delta":0.001}', 'complete', NULL, 1, NULL, 0, 4, 4, 39.125676234091166, NULL, '{"rmse": 39.125676234091166, "nasa_score": 147.9966352390374, "rmse_all_windows": 42.09390968425224, "best_epoch": 1}', 1795518145.492995, 1795518145.634432, NULL, 0, 0.07501269699423574),
	(6, 'tiny', 0, 5, 'sampler', 5, 7, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":2,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.08703418007286708,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', 'pruned', NULL, 1, NULL, 0, 9, 2, 39.21015014010966, NULL, NULL, 1795518144.709714, 1795518144.825104, 6, 0, 0.060626029000559356),
	(7, 'tiny', 1, 0, 'sampler', 4, 42, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":42,"epochs":4,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00011195064021316776,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":null,"min_delta":0.001}', 'complete', NULL, 1, NULL, 0, 4, 4, 39.12337409769771, NULL, '{"rmse": 39.12337409769771, "nasa_score": 148.35265205808193, "rmse_all_windows": 42.0972691438441, "best_epoch": 1}', 1795518145.343516, 1795518145.48645, NULL, 0, 0.07387050000033923),
	(9, 'tiny', 0, 6, 'sampler', 6, 7, '{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.01769534511344635,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}', 'waiting', NULL, 1, NULL, 0, 9, 1, NULL, NULL, NULL, 1795518153.503891, NULL, 7, 0, 0.09236591200169642);
INSERT INTO public.amnl_schema_version VALUES
	('0002');
INSERT INTO public.amnl_studies VALUES
	('tiny', '{"name":"tiny","question":"Does it work?","seed":7,"data":{"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","fallback":null},"objective":{"metric":"validation_rmse","direction":"minimize"},"budget":{"trials":7,"epochs":null,"wall_time":null,"accelerator_hours":null,"cost":null},"trial":{"epochs":9,"horizon":null,"checkpoint_every":1,"max_attempts":3},"sampler":{"name":"RandomSampler"},"pruner":{"name":"SuccessiveHalvingPruner","min_resource":2,"reduction_factor":2},"lr_range_test":{"enabled":true,"start_lr":1e-6,"end_lr":10.0,"num_iter":60,"suggestion":"minimum/10","spread":10.0},"fixed":{"conv_channels":[4,4],"num_heads":2,"fc_sizes":[8,4],"window":20,"stride":8},"incumbent":{"hidden_size":4,"batch_size":32},"space":{"learning_rate":{"when":{},"log":true,"type":"float","low":0.0001,"high":0.1,"step":null},"batch_size":{"when":{},"type":"categorical","choices":[16,32]},"hidden_size":{"when":{},"type":"categorical","choices":[2,4]}},"promotion":{"enabled":true,"top_k":1,"seeds":[42],"epochs":4,"schedule":"four_phase","patience":null,"checkpoint_every":10,"incumbent":true,"overrides":{}},"hardware":{"workers":1,"threads_per_worker":1,"device":"cpu","precision":"fp32","data_path":"auto","loader_workers":2,"price_per_hour":null,"stall_timeout":1800.0,"outage":600.0}}', '4251321ec5ca48e2d282780721e59c6f08ef37baa1b7df9e928557c2dcdbad2b', 'SIM1', '3b33e9726a584bd5cf9889bf49c3e1fd37350dcf2379cd2208c46572a76eaf04', 1795518137.949699, 1795518141.84213, 1795518139.565094, '4003901b7f54db568b53074406dbe98abdd23924947f7c134aae6ecd8d3af87f', NULL, NULL, NULL, NULL, NULL, NULL, 0.9838929180114064);
INSERT INTO public.amnl_tallies VALUES
	('tiny', 0, 2, 1354, 5),
	('tiny', 0, 4, 1354, 4),
	('tiny', 0, 8, 1354, 4),
	('tiny', 0, 2, 1355, 1);
INSERT INTO public.amnl_test_scores VALUES
	(1, 1, 1, false, 'user@host', 1795518147.064706, 'a7c154deeb604e780f43d0a931ed87e7f4691506d59ba4b5b23f5326916f8129', '{"promotion": 1, "look": 1, "forced": false, "dataset": "SIM1", "data_sha256": "a7c154deeb604e780f43d0a931ed87e7f4691506d59ba4b5b23f5326916f8129", "scored_at": 0.0, "winner": {"trial_number": 4, "origin": "sampler", "validation_rmse": 39.12337409769771, "test_rmse": 28.896482333264878, "nasa_score": 36.36696373851401, "by_seed": {"42": {"validation_rmse": 39.12337409769771, "test_rmse": 28.896482333264878, "nasa_score": 36.36696373851401}}, "predicted": [91.51605224609375, 91.51600646972656, 91.51594543457031, 91.51597595214844]}, "incumbent": {"trial_number": 0, "origin": "published defaults", "validation_rmse": 39.125676234091166, "test_rmse": 28.91712643462604, "nasa_score": 36.438044738098796, "by_seed": {"42": {"validation_rmse": 39.125676234091166, "test_rmse": 28.91712643462604, "nasa_score": 36.438044738098796}}, "predicted": [91.49030303955078, 91.49032592773438, 91.49034118652344, 91.49031829833984]}, "mean_rmse": 17.181021506301654, "mean_nasa_score": 22.026764517555254, "true": [125.0, 85.0, 124.0, 125.0], "units": [1, 2, 3, 4]}');
INSERT INTO public.amnl_workers VALUES
	('befeb6ee8508', 'tiny', 'host', 1, 0, 'cpu', 1, '0.1.0', 1795518141.833017, 1795518145.645548, 1795518146.147796, '5.0.0', '2.13.0+cpu', 1, 0.002462625503540039, NULL),
	('ba27e6cee266', 'tiny', 'host', 1, 0, 'cpu', 1, '0.1.0', 1795518153.495413, 1795518153.495413, 1795518154.791087, '5.0.0', '2.13.0+cpu', 1, 0.002347707748413086, NULL);
INSERT INTO public.studies VALUES
	(1, 'tiny');
INSERT INTO public.study_directions VALUES
	(1, 'MINIMIZE', 1, 0);
INSERT INTO public.study_system_attributes VALUES
	(1, 1, 'study:metric_names', '["validation_rmse"]');
INSERT INTO public.study_user_attributes VALUES
	(1, 1, 'question', '"Does it work?"'),
	(2, 1, 'dataset', '"SIM1"');
INSERT INTO public.trial_intermediate_values VALUES
	(1, 1, 1, 39.140333945871426, 'FINITE'),
	(2, 1, 2, 39.140333945871426, 'FINITE'),
	(3, 1, 3, 39.140333945871426, 'FINITE'),
	(4, 1, 4, 39.140333945871426, 'FINITE'),
	(5, 1, 5, 39.140333945871426, 'FINITE'),
	(6, 1, 6, 39.140333945871426, 'FINITE'),
	(7, 1, 7, 39.140333945871426, 'FINITE'),
	(8, 1, 8, 39.140333945871426, 'FINITE'),
	(9, 1, 9, 39.140333945871426, 'FINITE'),
	(10, 2, 1, 39.13963300889419, 'FINITE'),
	(11, 2, 2, 39.13963300889419, 'FINITE'),
	(12, 2, 3, 39.13963300889419, 'FINITE'),
	(13, 2, 4, 39.13963300889419, 'FINITE'),
	(14, 2, 5, 39.13963300889419, 'FINITE'),
	(15, 2, 6, 39.13963300889419, 'FINITE'),
	(16, 2, 7, 39.13963300889419, 'FINITE'),
	(17, 2, 8, 39.13963300889419, 'FINITE'),
	(18, 2, 9, 39.13963300889419, 'FINITE'),
	(19, 3, 1, 39.13849550758375, 'FINITE'),
	(20, 3, 2, 39.13849550758375, 'FINITE'),
	(21, 3, 3, 39.13849550758375, 'FINITE'),
	(22, 3, 4, 39.13849550758375, 'FINITE'),
	(23, 3, 5, 39.13849550758375, 'FINITE'),
	(24, 3, 6, 39.13849550758375, 'FINITE'),
	(25, 3, 7, 39.13849550758375, 'FINITE'),
	(26, 3, 8, 39.13849550758375, 'FINITE'),
	(27, 3, 9, 39.13849550758375, 'FINITE'),
	(28, 4, 1, 39.197529848972835, 'FINITE'),
	(29, 4, 2, 39.197529848972835, 'FINITE'),
	(30, 5, 1, 39.137596273783934, 'FINITE'),
	(31, 5, 2, 39.137596273783934, 'FINITE'),
	(32, 5, 3, 39.137596273783934, 'FINITE'),
	(33, 5, 4, 39.137596273783934, 'FINITE'),
	(34, 5, 5, 39.137596273783934, 'FINITE'),
	(35, 5, 6, 39.137596273783934, 'FINITE'),
	(36, 5, 7, 39.137596273783934, 'FINITE'),
	(37, 5, 8, 39.137596273783934, 'FINITE'),
	(38, 5, 9, 39.137596273783934, 'FINITE'),
	(39, 6, 1, 39.21015014010966, 'FINITE'),
	(40, 6, 2, 39.21015014010966, 'FINITE'),
	(41, 7, 1, 39.20405499700265, 'FINITE');
INSERT INTO public.trial_params VALUES
	(1, 1, 'batch_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}'),
	(2, 1, 'hidden_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}'),
	(3, 1, 'learning_rate', 0.001, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}'),
	(4, 2, 'batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}'),
	(5, 2, 'hidden_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}'),
	(6, 2, 'learning_rate', 0.0005736149768798778, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}'),
	(7, 3, 'batch_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}'),
	(8, 3, 'hidden_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}'),
	(9, 3, 'learning_rate', 0.00041745635191057275, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}'),
	(10, 4, 'batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}'),
	(11, 4, 'hidden_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}'),
	(12, 4, 'learning_rate', 0.017940720280486867, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}'),
	(13, 5, 'batch_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}'),
	(14, 5, 'hidden_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}'),
	(15, 5, 'learning_rate', 0.00011195064021316776, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}'),
	(16, 6, 'batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}'),
	(17, 6, 'hidden_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}'),
	(18, 6, 'learning_rate', 0.08703418007286708, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}'),
	(19, 7, 'batch_size', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}'),
	(20, 7, 'hidden_size', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}'),
	(21, 7, 'learning_rate', 0.01769534511344635, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO public.trial_system_attributes VALUES
	(1, 1, 'fixed_params', '{"batch_size": 32, "hidden_size": 4, "learning_rate": 0.001}');
INSERT INTO public.trial_user_attributes VALUES
	(1, 1, 'slot', '0'),
	(2, 1, 'origin', '"published defaults"'),
	(3, 1, 'config', '{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.001, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}'),
	(4, 1, 'validation_rmse', '39.140333945871426'),
	(5, 1, 'validation_nasa_score', '145.79435417831675'),
	(6, 1, 'validation_rmse_all_windows', '42.07335416213006'),
	(7, 2, 'slot', '1'),
	(8, 2, 'origin', '"sampler"'),
	(9, 2, 'config', '{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 2, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.0005736149768798778, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}'),
	(10, 2, 'validation_rmse', '39.13963300889419'),
	(11, 2, 'validation_nasa_score', '145.83076372774656'),
	(12, 2, 'validation_rmse_all_windows', '42.07448670133053'),
	(13, 3, 'slot', '2'),
	(14, 3, 'origin', '"sampler"'),
	(15, 3, 'config', '{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.00041745635191057275, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}'),
	(16, 3, 'validation_rmse', '39.13849550758375'),
	(17, 3, 'validation_nasa_score', '146.06888019867566'),
	(18, 3, 'validation_rmse_all_windows', '42.07588114412839'),
	(19, 4, 'slot', '3'),
	(20, 4, 'origin', '"sampler"'),
	(21, 4, 'config', '{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 2, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.017940720280486867, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}'),
	(22, 5, 'slot', '4'),
	(23, 5, 'origin', '"sampler"'),
	(24, 5, 'config', '{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.00011195064021316776, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}'),
	(25, 5, 'validation_rmse', '39.137596273783934'),
	(26, 5, 'validation_nasa_score', '146.20208156603775'),
	(27, 5, 'validation_rmse_all_windows', '42.07711367851171'),
	(28, 6, 'slot', '5'),
	(29, 6, 'origin', '"sampler"'),
	(30, 6, 'config', '{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 2, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.08703418007286708, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}'),
	(31, 7, 'slot', '6'),
	(32, 7, 'origin', '"sampler"'),
	(33, 7, 'config', '{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.01769534511344635, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO public.trial_values VALUES
	(1, 1, 0, 39.140333945871426, 'FINITE'),
	(2, 2, 0, 39.13963300889419, 'FINITE'),
	(3, 3, 0, 39.13849550758375, 'FINITE'),
	(4, 4, 0, 39.197529848972835, 'FINITE'),
	(5, 5, 0, 39.137596273783934, 'FINITE'),
	(6, 6, 0, 39.21015014010966, 'FINITE');
INSERT INTO public.trials VALUES
	(1, 0, 1, 'COMPLETE', '2026-11-24 11:02:21.860438', '2026-11-24 11:02:23.454268'),
	(2, 1, 1, 'COMPLETE', '2026-11-24 11:02:23.478583', '2026-11-24 11:02:23.897682'),
	(3, 2, 1, 'COMPLETE', '2026-11-24 11:02:23.916953', '2026-11-24 11:02:24.234722'),
	(4, 3, 1, 'PRUNED', '2026-11-24 11:02:24.254369', '2026-11-24 11:02:24.359198'),
	(5, 4, 1, 'COMPLETE', '2026-11-24 11:02:24.381612', '2026-11-24 11:02:24.697179'),
	(6, 5, 1, 'PRUNED', '2026-11-24 11:02:24.715929', '2026-11-24 11:02:24.819589'),
	(7, 6, 1, 'RUNNING', '2026-11-24 11:02:33.520312', NULL);
INSERT INTO public.version_info VALUES
	(1, 12, '5.0.0');
SELECT pg_catalog.setval('public.amnl_attempts_id_seq', 9, true);
SELECT pg_catalog.setval('public.amnl_promotions_id_seq', 1, true);
SELECT pg_catalog.setval('public.amnl_runs_id_seq', 9, true);
SELECT pg_catalog.setval('public.amnl_test_scores_id_seq', 1, true);
SELECT pg_catalog.setval('public.studies_study_id_seq', 2, true);
SELECT pg_catalog.setval('public.study_directions_study_direction_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_system_attributes_study_system_attribute_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_user_attributes_study_user_attribute_id_seq', 2, true);
SELECT pg_catalog.setval('public.trial_heartbeats_trial_heartbeat_id_seq', 1, false);
SELECT pg_catalog.setval('public.trial_intermediate_values_trial_intermediate_value_id_seq', 41, true);
SELECT pg_catalog.setval('public.trial_params_param_id_seq', 21, true);
SELECT pg_catalog.setval('public.trial_system_attributes_trial_system_attribute_id_seq', 1, true);
SELECT pg_catalog.setval('public.trial_user_attributes_trial_user_attribute_id_seq', 33, true);
SELECT pg_catalog.setval('public.trial_values_trial_value_id_seq', 6, true);
SELECT pg_catalog.setval('public.trials_trial_id_seq', 7, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.amnl_attempts
    ADD CONSTRAINT amnl_attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.amnl_attempts
    ADD CONSTRAINT amnl_attempts_run_fence_key UNIQUE (run, fence);
ALTER TABLE ONLY public.amnl_epochs
    ADD CONSTRAINT amnl_epochs_pkey PRIMARY KEY (run, number);
ALTER TABLE ONLY public.amnl_promotions
    ADD CONSTRAINT amnl_promotions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.amnl_promotions
    ADD CONSTRAINT amnl_promotions_study_fingerprint_key UNIQUE (study, fingerprint);
ALTER TABLE ONLY public.amnl_promotions
    ADD CONSTRAINT amnl_promotions_study_number_key UNIQUE (study, number);
ALTER TABLE ONLY public.amnl_range_tests
    ADD CONSTRAINT amnl_range_tests_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.amnl_runs
    ADD CONSTRAINT amnl_runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.amnl_runs
    ADD CONSTRAINT amnl_runs_study_promotion_slot_key UNIQUE (study, promotion, slot);
ALTER TABLE ONLY public.amnl_schema_version
    ADD CONSTRAINT amnl_schema_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.amnl_studies
    ADD CONSTRAINT amnl_studies_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.amnl_tallies
    ADD CONSTRAINT amnl_tallies_pkey PRIMARY KEY (study, bracket, number, bin);
ALTER TABLE ONLY public.amnl_test_scores
    ADD CONSTRAINT amnl_test_scores_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.amnl_test_scores
    ADD CONSTRAINT amnl_test_scores_promotion_id_look_key UNIQUE (promotion_id, look);
ALTER TABLE ONLY public.amnl_workers
    ADD CONSTRAINT amnl_workers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT studies_pkey PRIMARY KEY (study_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_pkey PRIMARY KEY (study_direction_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_objective_key UNIQUE (study_id, objective);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_pkey PRIMARY KEY (study_system_attribute_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_pkey PRIMARY KEY (study_user_attribute_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_pkey PRIMARY KEY (trial_heartbeat_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_key UNIQUE (trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_pkey PRIMARY KEY (trial_intermediate_value_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_step_key UNIQUE (trial_id, step);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_pkey PRIMARY KEY (param_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_param_name_key UNIQUE (trial_id, param_name);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_pkey PRIMARY KEY (trial_system_attribute_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_pkey PRIMARY KEY (trial_user_attribute_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_pkey PRIMARY KEY (trial_value_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_objective_key UNIQUE (trial_id, objective);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_pkey PRIMARY KEY (trial_id);
ALTER TABLE ONLY public.version_info
    ADD CONSTRAINT version_info_pkey PRIMARY KEY (version_info_id);
CREATE INDEX ix_amnl_epochs_competition ON public.amnl_epochs USING btree (study, bracket, number, bin, reported);
CREATE INDEX ix_amnl_promotions_study ON public.amnl_promotions USING btree (study);
CREATE INDEX ix_amnl_runs_status ON public.amnl_runs USING btree (status);
CREATE INDEX ix_amnl_runs_study ON public.amnl_runs USING btree (study);
CREATE INDEX ix_amnl_workers_study ON public.amnl_workers USING btree (study);
CREATE UNIQUE INDEX ix_studies_study_name ON public.studies USING btree (study_name);
CREATE INDEX ix_trials_study_id ON public.trials USING btree (study_id);
ALTER TABLE ONLY public.amnl_attempts
    ADD CONSTRAINT amnl_attempts_run_fkey FOREIGN KEY (run) REFERENCES public.amnl_runs(id);
ALTER TABLE ONLY public.amnl_epochs
    ADD CONSTRAINT amnl_epochs_run_fkey FOREIGN KEY (run) REFERENCES public.amnl_runs(id);
ALTER TABLE ONLY public.amnl_promotions
    ADD CONSTRAINT amnl_promotions_study_fkey FOREIGN KEY (study) REFERENCES public.amnl_studies(name);
ALTER TABLE ONLY public.amnl_runs
    ADD CONSTRAINT amnl_runs_study_fkey FOREIGN KEY (study) REFERENCES public.amnl_studies(name);
ALTER TABLE ONLY public.amnl_test_scores
    ADD CONSTRAINT amnl_test_scores_promotion_id_fkey FOREIGN KEY (promotion_id) REFERENCES public.amnl_promotions(id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
