BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE amnl_attempts (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	fence INTEGER NOT NULL, 
	worker VARCHAR NOT NULL, 
	started_at DOUBLE NOT NULL, 
	epochs_before INTEGER NOT NULL, 
	ended_at DOUBLE, 
	epochs_after INTEGER, 
	outcome VARCHAR(32), 
	reason TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES amnl_runs (id), 
	UNIQUE (run, fence)
);
INSERT INTO "amnl_attempts" VALUES(1,1,1,'f2fcfcc21dd2',1.79603450654599070546e+09,0,1.79603450745698952671e+09,3,'finished',NULL);
INSERT INTO "amnl_attempts" VALUES(2,2,1,'f2fcfcc21dd2',1.79603450753701329237e+09,0,1.79603450849999332432e+09,3,'finished',NULL);
INSERT INTO "amnl_attempts" VALUES(3,3,1,'f2fcfcc21dd2',1.79603450852200078962e+09,0,1.79603450949298739432e+09,3,'finished',NULL);
INSERT INTO "amnl_attempts" VALUES(4,4,1,'f2fcfcc21dd2',1.79603451015401792533e+09,0,1796034510.98101,4,'finished',NULL);
INSERT INTO "amnl_attempts" VALUES(5,5,1,'f2fcfcc21dd2',1.79603451101701855653e+09,0,1.79603451199601149559e+09,4,'finished',NULL);
CREATE TABLE "amnl_epochs" (
	run INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	train_rul_loss DOUBLE, 
	train_health_loss DOUBLE, 
	learning_rate DOUBLE NOT NULL, 
	validation_rmse DOUBLE, 
	best_validation_rmse DOUBLE, 
	samples INTEGER NOT NULL, 
	seconds DOUBLE NOT NULL, 
	recorded_at DOUBLE NOT NULL, 
	study VARCHAR NOT NULL, 
	bracket INTEGER, 
	bin INTEGER NOT NULL, 
	reported DOUBLE NOT NULL, 
	pruned BOOLEAN NOT NULL, 
	PRIMARY KEY (run, number), 
	FOREIGN KEY(run) REFERENCES amnl_runs (id)
);
INSERT INTO "amnl_epochs" VALUES(1,1,2.16213940429687500005e+03,1.08879375457763671875e+00,0.001,3.91407550687644061326e+01,3.91407550687644061326e+01,93,1.31471912000051815994e-01,1.79603450688901853564e+09,'tiny',0,1354,3.91407550687644061326e+01,0);
INSERT INTO "amnl_epochs" VALUES(1,2,2.15864038085937500009e+03,1.08000588417053222656e+00,7.52500000000000130589e-04,3.91444528973342329445e+01,3.91407550687644061326e+01,93,1.01241776000279060099e-01,1.79603450708398818969e+09,'tiny',0,1354,3.91407550687644061326e+01,0);
INSERT INTO "amnl_epochs" VALUES(1,3,2.14808715820312500009e+03,1.07756698131561279296e+00,1.0e-05,3.91451590488831229208e+01,3.91407550687644061326e+01,93,1.69289552999543957412e-01,1.79603450738601827614e+09,'tiny',0,1354,3.91407550687644061326e+01,0);
INSERT INTO "amnl_epochs" VALUES(2,1,2.09924926757812500008e+03,1.05263042449951171875e+00,5.7361497687987783936e-04,39.1400726417291,39.1400726417291,93,1.59805391999725543428e-01,1.79603450786201667786e+09,'tiny',0,1354,39.1400726417291,0);
INSERT INTO "amnl_epochs" VALUES(2,2,2.14789428710937500008e+03,1.03516364097595214843e+00,4.31645270102108192297e-04,3.91419490478592138052e+01,39.1400726417291,93,1.66424127999562188051e-01,1.79603450811500263209e+09,'tiny',0,1354,39.1400726417291,0);
INSERT INTO "amnl_epochs" VALUES(2,3,2113.15966796875,1.02412104606628417968e+00,5.73614976879877846126e-06,3.91424685556477385262e+01,39.1400726417291,93,1.72648925999965285882e-01,1.79603450838500714303e+09,'tiny',0,1354,39.1400726417291,0);
INSERT INTO "amnl_epochs" VALUES(3,1,2162.26318359375,1.09119629859924316406e+00,4.17456351910572753729e-04,3.91386408632303783861e+01,3.91386408632303783861e+01,93,5.18548820000432897359e-02,1.79603450862700939182e+09,'tiny',0,1354,3.91386408632303783861e+01,0);
INSERT INTO "amnl_epochs" VALUES(3,2,2159.4248046875,1.08881914615631103515e+00,3.14135904812706042311e-04,3.91399806612270779737e+01,3.91386408632303783861e+01,93,1.45993713999814644921e-01,1.79603450885899353032e+09,'tiny',0,1354,3.91386408632303783861e+01,0);
INSERT INTO "amnl_epochs" VALUES(3,3,2149.38720703125,1.08907175064086914062e+00,4.17456351910572763877e-06,3.91402714052568541092e+01,3.91386408632303783861e+01,93,1.48231381000186956953e-01,1.79603450918299102786e+09,'tiny',0,1354,3.91386408632303783861e+01,0);
INSERT INTO "amnl_epochs" VALUES(4,1,2.13220092773437500002e+03,1.12846171855926513671e+00,4.17456351910572753729e-04,3.91241607789725378543e+01,3.91241607789725378543e+01,93,8.48886489993674331344e-02,1.79603451035401678092e+09,'tiny',NULL,1354,3.91241607789725378543e+01,0);
INSERT INTO "amnl_epochs" VALUES(4,2,2154.65380859375,1.12163114547729492187e+00,4.17456351910572753729e-04,3.91251846942403176399e+01,3.91241607789725378543e+01,93,5.74733319999722880311e-02,1.79603451044301247593e+09,'tiny',NULL,1354,3.91241607789725378543e+01,0);
INSERT INTO "amnl_epochs" VALUES(4,3,2155.82421875,1.1160869598388671875e+00,6.46982801585842617637e-05,3.91260532357917227841e+01,3.91241607789725378543e+01,93,1.12330525999823294114e-01,1.79603451061500906946e+09,'tiny',NULL,1354,3.91241607789725378543e+01,0);
INSERT INTO "amnl_epochs" VALUES(4,4,2.14695141601562500006e+03,1.11396026611328125e+00,4.17456351910572763877e-06,3.91262244934269531881e+01,3.91241607789725378543e+01,93,1.25239402000261179637e-01,1.79603451088698506357e+09,'tiny',NULL,1354,3.91241607789725378543e+01,0);
INSERT INTO "amnl_epochs" VALUES(5,1,2.13213549804687500007e+03,1.12589740753173828125e+00,0.001,3.912567623409116635e+01,3.912567623409116635e+01,93,1.0920335999981034547e-01,1.79603451125399160388e+09,'tiny',NULL,1354,3.912567623409116635e+01,0);
INSERT INTO "amnl_epochs" VALUES(5,2,2.1540368652343749999e+03,1.11245083808898925781e+00,0.001,3.91281335135947898606e+01,3.912567623409116635e+01,93,1.30642796999381971545e-01,1.7960345114230110645e+09,'tiny',NULL,1354,3.912567623409116635e+01,0);
INSERT INTO "amnl_epochs" VALUES(5,3,2.15481518554687500005e+03,1.09963941574096679687e+00,1.54982143312659172151e-04,3.91304002079846924289e+01,3.912567623409116635e+01,93,1.41591875999438343569e-01,1.79603451161001467705e+09,'tiny',NULL,1354,3.912567623409116635e+01,0);
INSERT INTO "amnl_epochs" VALUES(5,4,2145.74853515625,1.09592938423156738281e+00,1.0e-05,3.91308665117591516482e+01,3.912567623409116635e+01,93,1.1033160699935251614e-01,1.79603451184899950022e+09,'tiny',NULL,1354,3.912567623409116635e+01,0);
CREATE TABLE amnl_promotions (
	id INTEGER NOT NULL, 
	study VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL, contaminated_by VARCHAR, contaminated_at DOUBLE, test_selection TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study) REFERENCES amnl_studies (name), 
	UNIQUE (study, fingerprint), 
	UNIQUE (study, number)
);
INSERT INTO "amnl_promotions" VALUES(1,'tiny',1,'2bcfc53eff025284c9a96eae8c1ba823e2ac1c83154fe190fd225f33cc63d558',1.79603450993301725388e+09,NULL,NULL,NULL);
CREATE TABLE amnl_range_tests (
	"key" VARCHAR NOT NULL, 
	dataset VARCHAR NOT NULL, 
	data_sha256 VARCHAR NOT NULL, 
	config TEXT NOT NULL, 
	options TEXT NOT NULL, 
	curve TEXT NOT NULL, 
	suggestions TEXT NOT NULL, 
	seconds DOUBLE NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "amnl_range_tests" VALUES('09254df32cfdff4db9d0f6fe0b69d65cdc5fc5d9fec700217eca774892c86018','SIM1','3b33e9726a584bd5cf9889bf49c3e1fd37350dcf2379cd2208c46572a76eaf04','{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"pool":1,"age":false,"deviation":0,"ewma":[],"drop_settings":false,"pad_short":false,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":3,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','{"start_lr": 1e-07, "end_lr": 10.0, "num_iter": 60, "diverge_th": 5.0}','{"lr": [1e-07, 1.3664483492953255e-07, 1.86718109129192e-07, 2.5514065200312886e-07, 3.486365227678085e-07, 4.76393801040134e-07, 6.50967523045817e-07, 8.895134973108235e-07, 1.2154742500762864e-06, 1.6608827826277156e-06, 2.2695105366946684e-06, 3.1011689265747785e-06, 4.237587160604063e-06, 5.790443980602486e-06, 7.912342618981322e-06, 1.0811807510766076e-05, 1.4773776525985112e-05, 2.0187602546790388e-05, 2.758531617629184e-05, 3.7693909753883595e-05, 5.1506780761681216e-05, 7.038135554931555e-05, 9.617248711152963e-05, 0.00013141473626117567, 0.00017957144943716409, 0.0002453751106639817, 0.00033529241492495567, 0.0004581597669054491, 0.0006260516572014821, 0.0008554672535565683, 0.0011689518164985776, 0.0015973122800602554, 0.002182644728397487, 0.002982471286216888, 0.004075392965871778, 0.0055688139909452665, 0.007609496685459884, 0.010397984184814899, 0.014208308325339206, 0.019414919457438815, 0.026529484644318948, 0.036251170499885355, 0.04953535208959169, 0.06768750009458527, 0.09249147277217334, 0.12638482029342973, 0.1726983290659436, 0.23598334667821935, 0.3224590545296398, 0.4406236427773572, 0.6020894493336125, 0.8227241341700473, 1.124210035062086, 1.5361749466718295, 2.0991037201085545, 2.868316813342009, 3.919406774847221, 5.3556669177068965, 7.318242219076182, 10.0], "loss": [2.0, 1.9277093410491943, 2.002479076385498, 2.2170066833496094, 1.7576987743377686, 2.164191246032715, 2.3126189708709717, 2.0026464462280273, 2.1760826110839844, 2.10951828956604, 2.1571388244628906, 2.3375439643859863, 1.9413559436798096, 1.9881401062011719, 2.4590163230895996, 1.982654094696045, 2.23024845123291, 2.2018799781799316, 2.224656343460083, 2.3628482818603516, 2.082761287689209, 2.4604997634887695, 2.1168394088745117, 2.152400016784668, 2.3511366844177246, 2.3384900093078613, 1.9857465028762817, 2.063626289367676, 1.9530186653137207, 2.3297979831695557, 2.51706862449646, 1.8639427423477173, 1.8101089000701904, 2.504636526107788, 2.071925163269043, 2.3273775577545166, 2.199876070022583, 2.1932413578033447, 2.2636404037475586, 1.8579729795455933, 1.9628987312316895, 2.3902945518493652, 1.7240058183670044, 2.080092430114746, 1.9608834981918335, 2.085449695587158, 1.9651827812194824, 1.9689297676086426, 1.7892124652862549, 2.2606916427612305, 1.8904218673706055, 2.055356979370117, 5.024511814117432, 5.355561256408691, 4.763522624969482, 5.906688690185547, 5.558402061462402, 5.753363132476807, 5.8293585777282715, 5.798935890197754]}','{"steepest": null, "valley": null, "minimum/10": null}',4.93075277000025380402e+00,1.79603449326499247555e+09);
CREATE TABLE amnl_runs (
	id INTEGER NOT NULL, 
	study VARCHAR NOT NULL, 
	promotion INTEGER NOT NULL, 
	slot INTEGER NOT NULL, 
	origin VARCHAR(32) NOT NULL, 
	trial_number INTEGER, 
	seed BIGINT NOT NULL, 
	config TEXT, 
	status VARCHAR(32) NOT NULL, 
	owner VARCHAR, 
	fence INTEGER NOT NULL, 
	expires_at DOUBLE, 
	failures INTEGER NOT NULL, 
	epochs INTEGER NOT NULL, 
	epochs_done INTEGER NOT NULL, 
	value DOUBLE, 
	reason TEXT, 
	result TEXT, 
	started_at DOUBLE, 
	finished_at DOUBLE, trial_id INTEGER, bracket INTEGER DEFAULT '0' NOT NULL, busy_seconds DOUBLE DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study) REFERENCES amnl_studies (name), 
	UNIQUE (study, promotion, slot)
);
INSERT INTO "amnl_runs" VALUES(1,'tiny',0,0,'published defaults',0,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"pool":1,"age":false,"deviation":0,"ewma":[],"drop_settings":false,"pad_short":false,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":3,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','complete',NULL,1,NULL,0,3,3,3.91407550687644061326e+01,NULL,'{"rmse": 39.140755068764406, "nasa_score": 145.73156942997116, "rmse_all_windows": 42.07278738050225, "precision": "fp32"}',1.79603450654599070546e+09,1.79603450745698952671e+09,1,0,4.02003240999874833505e-01);
INSERT INTO "amnl_runs" VALUES(2,'tiny',0,1,'sampler',1,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"pool":1,"age":false,"deviation":0,"ewma":[],"drop_settings":false,"pad_short":false,"conv_channels":[4,4],"hidden_size":2,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":3,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.0005736149768798778,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','complete',NULL,1,NULL,0,3,3,39.1400726417291,NULL,'{"rmse": 39.1400726417291, "nasa_score": 145.76547552383832, "rmse_all_windows": 42.07392941350733, "precision": "fp32"}',1.79603450753701329237e+09,1.79603450849999332432e+09,2,0,0.498878445999253);
INSERT INTO "amnl_runs" VALUES(3,'tiny',0,2,'sampler',2,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"pool":1,"age":false,"deviation":0,"ewma":[],"drop_settings":false,"pad_short":false,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":3,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00041745635191057275,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','complete',NULL,1,NULL,0,3,3,3.91386408632303783861e+01,NULL,'{"rmse": 39.13864086323038, "nasa_score": 146.0469333714858, "rmse_all_windows": 42.0756864100693, "precision": "fp32"}',1.79603450852200078962e+09,1.79603450949298739432e+09,3,0,3.4607997700004489161e-01);
INSERT INTO "amnl_runs" VALUES(4,'tiny',1,0,'sampler',2,42,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"pool":1,"age":false,"deviation":0,"ewma":[],"drop_settings":false,"pad_short":false,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":42,"epochs":4,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00041745635191057275,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":null,"min_delta":0.001}','complete',NULL,1,NULL,0,4,4,3.91241607789725378543e+01,NULL,'{"rmse": 39.12416077897254, "nasa_score": 148.23162080890705, "rmse_all_windows": 42.09612862136006, "best_epoch": 1, "precision": "fp32"}',1.79603451015401792533e+09,1796034510.98101,NULL,0,3.79931908999424194917e-01);
INSERT INTO "amnl_runs" VALUES(5,'tiny',1,1,'published defaults',0,42,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"pool":1,"age":false,"deviation":0,"ewma":[],"drop_settings":false,"pad_short":false,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":42,"epochs":4,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":null,"min_delta":0.001}','complete',NULL,1,NULL,0,4,4,3.912567623409116635e+01,NULL,'{"rmse": 39.125676234091166, "nasa_score": 147.9966352390374, "rmse_all_windows": 42.09390968425224, "best_epoch": 1, "precision": "fp32"}',1.79603451101701855653e+09,1.79603451199601149559e+09,NULL,0,4.91769639997983176726e-01);
CREATE TABLE amnl_schema_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT amnl_schema_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "amnl_schema_version" VALUES('0003');
CREATE TABLE amnl_studies (
	name VARCHAR NOT NULL, 
	spec TEXT NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	dataset VARCHAR NOT NULL, 
	data_sha256 VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL, 
	started_at DOUBLE, 
	prepared_at DOUBLE, 
	range_test_key VARCHAR, 
	suggested_lr DOUBLE, 
	prior_low DOUBLE, 
	prior_high DOUBLE, stopped_at DOUBLE, wall_time DOUBLE, busy_limit DOUBLE, busy_seconds DOUBLE DEFAULT '0' NOT NULL, warm_start TEXT, 
	PRIMARY KEY (name)
);
INSERT INTO "amnl_studies" VALUES('tiny','{"name":"tiny","question":"Does it work?","seed":7,"data":{"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","fallback":null},"objective":{"metric":"validation_rmse","direction":"minimize"},"budget":{"trials":3,"epochs":null,"wall_time":null,"accelerator_hours":null,"cost":null},"trial":{"epochs":3,"horizon":null,"checkpoint_every":1,"keep_every":null,"max_attempts":3},"sampler":{"name":"RandomSampler"},"pruner":{"name":"NopPruner"},"lr_range_test":{"enabled":true,"start_lr":1e-7,"end_lr":10.0,"num_iter":60,"suggestion":"steepest","spread":10.0},"fixed":{"conv_channels":[4,4],"num_heads":2,"fc_sizes":[8,4],"window":20,"stride":8},"incumbent":{"hidden_size":4,"batch_size":32},"space":{"learning_rate":{"when":{},"log":true,"type":"float","low":0.0001,"high":0.1,"step":null},"batch_size":{"when":{},"type":"categorical","choices":[16,32]},"hidden_size":{"when":{},"type":"categorical","choices":[2,4]}},"warm_start":{"from":[],"top":1},"promotion":{"enabled":true,"top_k":1,"seeds":[42],"epochs":4,"horizon":null,"schedule":"four_phase","patience":null,"checkpoint_every":10,"keep_every":null,"keep_last":true,"incumbents":["published","boosting"],"overrides":{}},"hardware":{"workers":2,"threads_per_worker":1,"device":"cpu","precision":"fp32","data_path":"auto","loader_workers":2,"price_per_hour":null,"stall_timeout":1800.0,"outage":600.0}}','e89249c89a6524004c8fe6dd5b623b3d2b4ab501db4262df301a3d768408da28','SIM1','3b33e9726a584bd5cf9889bf49c3e1fd37350dcf2379cd2208c46572a76eaf04',1.79603448774898958205e+09,1.79603450654599070546e+09,1.79603449330100107192e+09,'09254df32cfdff4db9d0f6fe0b69d65cdc5fc5d9fec700217eca774892c86018',NULL,NULL,NULL,NULL,NULL,NULL,1.24696166399917274247e+00,NULL);
CREATE TABLE amnl_tallies (
	study VARCHAR NOT NULL, 
	bracket INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	bin INTEGER NOT NULL, 
	trials INTEGER NOT NULL, 
	PRIMARY KEY (study, bracket, number, bin)
);
CREATE TABLE amnl_test_scores (
	id INTEGER NOT NULL, 
	promotion_id INTEGER NOT NULL, 
	look INTEGER NOT NULL, 
	forced BOOLEAN NOT NULL, 
	scored_by VARCHAR NOT NULL, 
	scored_at DOUBLE NOT NULL, 
	data_sha256 VARCHAR NOT NULL, 
	scores TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(promotion_id) REFERENCES amnl_promotions (id), 
	UNIQUE (promotion_id, look)
);
INSERT INTO "amnl_test_scores" VALUES(1,1,1,0,'user@host',1.79603452457900500298e+09,'a7c154deeb604e780f43d0a931ed87e7f4691506d59ba4b5b23f5326916f8129','{"promotion": 1, "look": 1, "forced": false, "dataset": "SIM1", "data_sha256": "a7c154deeb604e780f43d0a931ed87e7f4691506d59ba4b5b23f5326916f8129", "scored_at": 0.0, "winner": {"trial_number": 2, "origin": "sampler", "validation_rmse": 39.12416077897254, "test_rmse": 28.903498559333713, "nasa_score": 36.391106851709154, "by_seed": {"42": {"validation_rmse": 39.12416077897254, "test_rmse": 28.903498559333713, "nasa_score": 36.391106851709154}}, "predicted": [91.50728607177734, 91.50727844238281, 91.50724792480469, 91.50726318359375], "predicted_by_seed": {"42": [91.50728607177734, 91.50727844238281, 91.50724792480469, 91.50726318359375]}, "health": [2, 2, 2, 2], "kind": "network", "fit_seconds": 0.3799319089994242, "predict_seconds": 0.010391183000137971, "rmse_interval": {"value": 28.903498559333713, "low": 17.669153237053127, "high": 33.49272537231641}, "nasa_interval": {"value": 36.391106851709154, "low": 14.900028872437453, "high": 48.59693516906685}, "against_choice": {"difference": {"value": 14.34695552776327, "low": -7.015730285454957, "high": 30.30811152855126}, "level": 0.9833333333333333, "seeds": [null, 1]}}, "incumbent": {"trial_number": 0, "origin": "published defaults", "validation_rmse": 39.125676234091166, "test_rmse": 28.91712643462604, "nasa_score": 36.438044738098796, "by_seed": {"42": {"validation_rmse": 39.125676234091166, "test_rmse": 28.91712643462604, "nasa_score": 36.438044738098796}}, "predicted": [91.49030303955078, 91.49032592773438, 91.49034118652344, 91.49031829833984], "predicted_by_seed": {"42": [91.49030303955078, 91.49032592773438, 91.49034118652344, 91.49031829833984]}, "health": [2, 2, 2, 2], "kind": "network", "fit_seconds": 0.4917696399979832, "predict_seconds": 0.01651217499966151, "rmse_interval": {"value": 28.91712643462604, "low": 17.6725193428331, "high": 33.509689331055554}, "nasa_interval": {"value": 36.438044738098796, "low": 14.907461813448357, "high": 48.665614757534684}, "against_choice": {"difference": {"value": 14.3605834030556, "low": -7.012547049732802, "high": 30.325026543630248}, "level": 0.9833333333333333, "seeds": [null, 1]}}, "mean_rmse": 17.181021506301654, "mean_nasa_score": 22.026764517555254, "true": [125.0, 85.0, 124.0, 125.0], "units": [1, 2, 3, 4], "scored_by": "", "comparison": {"level": 0.95, "corrected_level": 0.95, "candidates": 1, "seeds": [1, 1], "winner_rmse": {"value": 28.903498559333713, "low": 17.669153237053127, "high": 33.49272537231641}, "winner_nasa": {"value": 36.391106851709154, "low": 14.900028872437453, "high": 48.59693516906685}, "incumbent_rmse": {"value": 28.91712643462604, "low": 17.6725193428331, "high": 33.509689331055554}, "incumbent_nasa": {"value": 36.438044738098796, "low": 14.907461813448357, "high": 48.665614757534684}, "rmse_difference": {"value": 0.013627875292328895, "low": 0.0033552593715207024, "high": 0.016963958739147245}, "nasa_difference": {"value": 0.04693788638964236, "low": 0.00740979008189413, "high": 0.0686795884678304}, "better": false, "words": "not established: -0.01 cycles [-0.02, -0.003], fewer than 3 seeds"}, "lives": [{"unit": 2, "cycle": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124], "true": [125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 124.0, 123.0, 122.0, 121.0, 120.0, 119.0, 118.0, 117.0, 116.0, 115.0, 114.0, 113.0, 112.0, 111.0, 110.0, 109.0, 108.0, 107.0, 106.0, 105.0, 104.0, 103.0, 102.0, 101.0, 100.0, 99.0, 98.0, 97.0, 96.0, 95.0, 94.0, 93.0, 92.0, 91.0, 90.0, 89.0, 88.0, 87.0, 86.0, 85.0], "predicted": [118.63, 116.33, 125.0, 125.0, 125.0, 125.0, 124.24, 123.79, 125.0, 123.94, 121.98, 123.76, 124.51, 124.05, 122.76, 123.56, 124.48, 125.0, 125.0, 123.66, 125.0, 125.0, 125.0, 123.61, 125.0, 125.0, 125.0, 124.81, 125.0, 124.49, 123.85, 125.0, 122.11, 122.27, 124.55, 125.0, 125.0, 125.0, 125.0, 123.14, 125.0, 124.08, 123.83, 125.0, 124.16, 125.0, 120.34, 119.28, 122.44, 123.43, 123.43, 125.0, 124.98, 124.48, 124.44, 119.17, 119.88, 119.91, 125.0, 125.0, 124.44, 124.98, 125.0, 122.82, 124.04, 124.58, 123.5, 121.06, 122.77, 122.73, 120.49, 120.09, 116.85, 116.72, 115.33, 112.38, 118.44, 117.1, 117.32, 118.6, 120.42, 118.46, 120.84, 121.99, 124.5, 124.02, 123.39, 123.25, 123.91, 122.96, 123.06, 123.59, 121.64, 121.85, 120.87, 120.65, 123.07, 123.13, 121.93, 125.0, 124.5, 124.46, 120.46, 121.36, 123.44, 122.6, 125.0, 122.69, 120.76, 118.83, 120.58, 123.64, 120.92, 121.23, 118.52, 114.83, 117.68, 115.5, 111.69, 114.9, 116.33, 112.6, 114.52, 112.95]}, {"unit": 1, "cycle": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81], "true": [125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0], "predicted": [125.0, 114.01, 124.82, 99.1, 114.76, 122.52, 95.94, 109.48, 123.05, 111.35, 114.47, 107.24, 104.2, 102.31, 103.11, 109.06, 110.2, 123.29, 112.8, 112.27, 107.24, 106.05, 116.26, 119.86, 111.34, 111.56, 108.1, 111.85, 114.28, 109.58, 109.56, 113.67, 109.03, 108.79, 101.37, 108.23, 104.36, 104.17, 99.28, 101.07, 115.57, 117.93, 119.41, 122.58, 121.78, 118.17, 114.49, 119.86, 120.61, 113.22, 108.03, 114.57, 119.42, 116.02, 113.25, 108.7, 97.34, 100.79, 99.93, 103.52, 105.46, 107.21, 104.85, 103.92, 108.2, 118.89, 117.18, 118.2, 116.68, 115.88, 106.42, 114.12, 115.64, 119.93, 115.64, 114.95, 121.83, 119.13, 116.93, 119.49, 118.43]}, {"unit": 4, "cycle": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36], "true": [125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0], "predicted": [109.78, 125.0, 121.51, 115.88, 123.27, 123.48, 124.17, 116.09, 121.61, 109.09, 114.1, 114.28, 117.98, 119.81, 121.28, 117.77, 115.94, 115.53, 117.12, 116.43, 118.2, 118.48, 119.91, 123.89, 120.54, 121.44, 119.02, 117.68, 114.19, 114.14, 119.38, 117.39, 114.99, 117.61, 121.3, 120.26]}, {"unit": 3, "cycle": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45], "true": [125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 125.0, 124.0], "predicted": [116.18, 115.49, 104.99, 124.38, 119.74, 124.98, 125.0, 119.68, 123.23, 121.1, 119.04, 120.63, 116.53, 117.62, 118.21, 120.68, 120.45, 119.02, 118.95, 122.49, 122.79, 118.29, 119.13, 117.74, 121.55, 120.66, 114.02, 118.15, 121.16, 124.18, 122.88, 123.64, 124.87, 124.43, 124.38, 123.76, 125.0, 125.0, 125.0, 125.0, 124.81, 122.48, 123.39, 123.71, 124.65]}], "rivals": [{"trial_number": null, "origin": "boosting", "validation_rmse": 13.40780263164834, "test_rmse": 14.556543031570442, "nasa_score": 16.535773701233328, "by_seed": {}, "predicted": [118.42875671386719, 112.95480346679688, 124.65042877197266, 120.2569580078125], "predicted_by_seed": {}, "health": [0, 0, 0, 0], "kind": "boosting", "fit_seconds": 1.8493173099996056, "predict_seconds": 0.008642081999823858, "rmse_interval": {"value": 14.556543031570442, "low": 3.3335570749491876, "high": 24.325447364546914}, "nasa_interval": {"value": 16.535773701233328, "low": 0.8593958299384941, "high": 46.55176818670257}, "against_choice": null}, {"trial_number": null, "origin": "mix", "validation_rmse": 24.62093423009144, "test_rmse": 18.146390983531994, "nasa_score": 14.02581717693748, "by_seed": {}, "predicted": [104.96802139282227, 102.23104095458984, 108.07883834838867, 105.88211059570312], "predicted_by_seed": {}, "health": [2, 2, 2, 2], "kind": "mix", "fit_seconds": 2.22924921899903, "predict_seconds": 0.01903326499996183, "rmse_interval": {"value": 18.146390983531994, "low": 16.589034943532607, "high": 19.580268922991753}, "nasa_interval": {"value": 14.02581717693748, "low": 10.87837372745188, "high": 17.15754631258174}, "against_choice": {"difference": {"value": 3.589847951961552, "low": -7.298669740183563, "high": 14.340043726655473}, "level": 0.9833333333333333, "seeds": [null, 1]}}, {"trial_number": null, "origin": "age alone", "validation_rmse": 22.73095302541177, "test_rmse": 17.322216556564726, "nasa_score": 31.025077356331764, "by_seed": {}, "predicted": [125.0, 119.63394927978516, 124.83638000488281, 124.83638000488281], "predicted_by_seed": {}, "health": [0, 0, 0, 0], "kind": "age alone", "fit_seconds": 0.4355059879999317, "predict_seconds": 0.00823676100026205, "rmse_interval": {"value": 17.322216556564726, "low": 0.11569680808507307, "high": 29.993991480157298}, "nasa_interval": {"value": 31.025077356331764, "low": 0.02533138489288222, "high": 92.78819495229692}, "against_choice": {"difference": {"value": 2.765673524994284, "low": -6.083418350124294, "high": 5.785040864861784}, "level": 0.9833333333333333, "seeds": [null, null]}}], "choice": "boosting", "against_boosting": {"difference": {"value": -14.34695552776327, "low": -30.30811152855126, "high": 7.015730285454957}, "level": 0.975, "seeds": [1, null]}, "mean_validation_rmse": 38.96793553679743}');
CREATE TABLE amnl_workers (
	id VARCHAR NOT NULL, 
	study VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	pid INTEGER NOT NULL, 
	process_started DOUBLE NOT NULL, 
	device VARCHAR NOT NULL, 
	threads INTEGER NOT NULL, 
	version VARCHAR NOT NULL, 
	started_at DOUBLE NOT NULL, 
	seen_at DOUBLE NOT NULL, 
	stopped_at DOUBLE, optuna_version VARCHAR, torch_version VARCHAR, accelerators DOUBLE DEFAULT '1' NOT NULL, clock_skew DOUBLE, artifacts TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "amnl_workers" VALUES('f2fcfcc21dd2','tiny','host',1,0.0,'cpu',1,'0.1.0',1.79603450645900678634e+09,1.79603451208601284025e+09,1.79603451261101508141e+09,'5.0.0','2.13.0+cpu',1.0,3.551959991455078125e-02,NULL);
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'tiny');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["validation_rmse"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'question','"Does it work?"');
INSERT INTO "study_user_attributes" VALUES(2,1,'dataset','"SIM1"');
INSERT INTO "study_user_attributes" VALUES(3,1,'amnl_artifacts','"{\"token\": \"d9f05e208c3242df9ad4fa30f668ccbe\", \"url\": \"HOME/artifacts\", \"host\": \"host\"}"');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,3.91407550687644061326e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,3.91407550687644061326e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,3.91407550687644061326e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,2,1,39.1400726417291,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,2,2,39.1400726417291,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,2,3,39.1400726417291,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,3,1,3.91386408632303783861e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,3,2,3.91386408632303783861e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,3,3,3.91386408632303783861e+01,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(2,1,'hidden_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}');
INSERT INTO "trial_params" VALUES(3,1,'learning_rate',0.001,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(4,2,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(5,2,'hidden_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}');
INSERT INTO "trial_params" VALUES(6,2,'learning_rate',5.7361497687987783936e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(7,3,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(8,3,'hidden_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}');
INSERT INTO "trial_params" VALUES(9,3,'learning_rate',4.17456351910572753729e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'fixed_params','{"batch_size": 32, "hidden_size": 4, "learning_rate": 0.001}');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'slot','0');
INSERT INTO "trial_user_attributes" VALUES(2,1,'origin','"published defaults"');
INSERT INTO "trial_user_attributes" VALUES(3,1,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "pool": 1, "age": false, "deviation": 0, "ewma": [], "drop_settings": false, "pad_short": false, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 3, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.001, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(4,1,'validation_rmse','39.140755068764406');
INSERT INTO "trial_user_attributes" VALUES(5,1,'validation_nasa_score','145.73156942997116');
INSERT INTO "trial_user_attributes" VALUES(6,1,'validation_rmse_all_windows','42.07278738050225');
INSERT INTO "trial_user_attributes" VALUES(7,2,'slot','1');
INSERT INTO "trial_user_attributes" VALUES(8,2,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(9,2,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "pool": 1, "age": false, "deviation": 0, "ewma": [], "drop_settings": false, "pad_short": false, "conv_channels": [4, 4], "hidden_size": 2, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 3, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.0005736149768798778, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(10,2,'validation_rmse','39.1400726417291');
INSERT INTO "trial_user_attributes" VALUES(11,2,'validation_nasa_score','145.76547552383832');
INSERT INTO "trial_user_attributes" VALUES(12,2,'validation_rmse_all_windows','42.07392941350733');
INSERT INTO "trial_user_attributes" VALUES(13,3,'slot','2');
INSERT INTO "trial_user_attributes" VALUES(14,3,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(15,3,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "pool": 1, "age": false, "deviation": 0, "ewma": [], "drop_settings": false, "pad_short": false, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 3, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.00041745635191057275, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(16,3,'validation_rmse','39.13864086323038');
INSERT INTO "trial_user_attributes" VALUES(17,3,'validation_nasa_score','146.0469333714858');
INSERT INTO "trial_user_attributes" VALUES(18,3,'validation_rmse_all_windows','42.0756864100693');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,3.91407550687644061326e+01,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,39.1400726417291,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,3.91386408632303783861e+01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-30 10:28:26.653799','2026-11-30 10:28:27.435414');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-30 10:28:27.618151','2026-11-30 10:28:28.483191');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-30 10:28:28.533870','2026-11-30 10:28:29.465289');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX ix_amnl_workers_study ON amnl_workers (study);
CREATE INDEX ix_amnl_promotions_study ON amnl_promotions (study);
CREATE INDEX ix_amnl_runs_status ON amnl_runs (status);
CREATE INDEX ix_amnl_runs_study ON amnl_runs (study);
CREATE INDEX ix_amnl_epochs_competition ON amnl_epochs (study, bracket, number, bin, reported);
COMMIT;