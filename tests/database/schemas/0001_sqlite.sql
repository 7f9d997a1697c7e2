BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE amnl_epochs (
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
	PRIMARY KEY (run, number), 
	FOREIGN KEY(run) REFERENCES amnl_runs (id)
);
INSERT INTO "amnl_epochs" VALUES(1,1,2162.18359375,1.08950400352478027343e+00,0.001,3.91403339458714256693e+01,3.91403339458714256693e+01,93,9.42742020015430171042e-02,1.79541908463100337986e+09);
INSERT INTO "amnl_epochs" VALUES(1,2,2.1587424316406249999e+03,1.08099055290222167968e+00,0.001,3.9144239099061081788e+01,3.91403339458714256693e+01,93,6.32281159996637143194e-02,1.79541908477898097041e+09);
INSERT INTO "amnl_epochs" VALUES(1,3,2.14790209960937500009e+03,1.07421588897705078125e+00,0.001,3.91479127491153491283e+01,3.91403339458714256693e+01,93,4.5661772997846128419e-02,1.79541908491199159623e+09);
INSERT INTO "amnl_epochs" VALUES(1,4,2151.24072265625,1.05038928985595703125e+00,0.001,3.91517408184602828669e+01,3.91403339458714256693e+01,93,4.68961129990930203348e-02,1.7954190850419850349e+09);
INSERT INTO "amnl_epochs" VALUES(1,5,2147.0048828125,1.04216861724853515625e+00,0.001,39.1560564906615,3.91403339458714256693e+01,93,3.85492839996004477143e-02,1.7954190851319863796e+09);
INSERT INTO "amnl_epochs" VALUES(1,6,2142.90771484375,1.04219865798950195312e+00,7.52500000000000130589e-04,3.91606382891818611824e+01,3.91403339458714256693e+01,93,3.05645010012085549533e-02,1.79541908519700312615e+09);
INSERT INTO "amnl_epochs" VALUES(1,7,2.12212866210937499997e+03,1.03178715705871582031e+00,3.9852152710975440584e-05,3.91637648947050536207e+01,3.91403339458714256693e+01,93,2.73022030014544725418e-02,1.79541908524500131612e+09);
INSERT INTO "amnl_epochs" VALUES(1,8,2121.1005859375,1.03026330471038818359e+00,1.0e-05,3.91649134778230703082e+01,3.91403339458714256693e+01,93,2.64160389997414313256e-02,1.79541908529299950605e+09);
INSERT INTO "amnl_epochs" VALUES(1,9,2.14764575195312499992e+03,1.03649735450744628906e+00,1.0e-05,3.91653475164915221284e+01,3.91403339458714256693e+01,93,2.61487719981232658028e-02,1.79541908536300516127e+09);
INSERT INTO "amnl_epochs" VALUES(2,1,2099.30810546875,1.05468571186065673828e+00,5.7361497687987783936e-04,3.91396330088941866174e+01,3.91396330088941866174e+01,93,7.07980639999732375144e-02,1.79541908555600357054e+09);
INSERT INTO "amnl_epochs" VALUES(2,2,2147.97705078125,1.03776371479034423828e+00,5.7361497687987783936e-04,3.91415253109411551699e+01,3.91396330088941866174e+01,93,6.31396850003511644899e-02,1.79541908564701080319e+09);
INSERT INTO "amnl_epochs" VALUES(2,3,2.11309838867187500008e+03,1.01847970485687255859e+00,5.7361497687987783936e-04,3.91442383260036592673e+01,3.91396330088941866174e+01,93,5.23252759994647931307e-02,1.79541908576799178129e+09);
INSERT INTO "amnl_epochs" VALUES(2,4,2.14543920898437500007e+03,9.99208569526672363281e-01,5.7361497687987783936e-04,3.91468565757712454455e+01,3.91396330088941866174e+01,93,6.036145500183920376e-02,1.7954190858579933643e+09);
INSERT INTO "amnl_epochs" VALUES(2,5,2108.83251953125,9.80679094791412353515e-01,5.7361497687987783936e-04,3.91498640696171378294e+01,3.91396330088941866174e+01,93,5.06218989976332522928e-02,1.79541908594501757622e+09);
INSERT INTO "amnl_epochs" VALUES(2,6,2.133459228515625e+03,9.64143395423889160156e-01,4.31645270102108192297e-04,3.91534273962250551903e+01,3.91396330088941866174e+01,93,6.24052669991215225309e-02,1.79541908603300762181e+09);
INSERT INTO "amnl_epochs" VALUES(2,7,2.11516723632812499991e+03,9.5879840850830078125e-01,2.28597916559195389434e-05,3.91558324238453394619e+01,3.91396330088941866174e+01,93,3.97696140025800559669e-02,1.79541908609500670433e+09);
INSERT INTO "amnl_epochs" VALUES(2,8,2.1167897949218750001e+03,0.941006064414978,5.73614976879877846126e-06,3.91567114173074202207e+01,3.91396330088941866174e+01,93,4.09429350002028513699e-02,1.79541908615700602528e+09);
INSERT INTO "amnl_epochs" VALUES(2,9,2139.474609375,9.46360826492309570312e-01,5.73614976879877846126e-06,3.9156985746328963672e+01,3.91396330088941866174e+01,93,0.0710479840017797,1.7954190862839818001e+09);
INSERT INTO "amnl_epochs" VALUES(3,1,2.16228149414062500001e+03,1.09148967266082763671e+00,4.17456351910572753729e-04,3.91384955075837481786e+01,3.91384955075837481786e+01,93,2.70817560012801550328e-02,1.7954190864050030708e+09);
INSERT INTO "amnl_epochs" VALUES(3,2,2159.46484375,1.08923375606536865234e+00,4.17456351910572753729e-04,3.91398997084764204146e+01,3.91384955075837481786e+01,93,2.65996909984096419066e-02,1.79541908645601868627e+09);
INSERT INTO "amnl_epochs" VALUES(3,3,2.14931127929687499993e+03,1.08763551712036132812e+00,4.17456351910572753729e-04,3.91413832484618779972e+01,3.91384955075837481786e+01,93,2.59867019994999282062e-02,1.795419086510011673e+09);
INSERT INTO "amnl_epochs" VALUES(3,4,2153.01513671875,1.07113528251647949218e+00,4.17456351910572753729e-04,3.91429650699697688764e+01,3.91384955075837481786e+01,93,4.63275999973120633512e-02,1.79541908658601188659e+09);
INSERT INTO "amnl_epochs" VALUES(3,5,2149.64404296875,1.06803297996521,4.17456351910572753729e-04,3.91445739103475318651e+01,3.91384955075837481786e+01,93,3.54242899993550963699e-02,1.79541908665199422836e+09);
INSERT INTO "amnl_epochs" VALUES(3,6,2.14608178710937499999e+03,1.07242298126220703125e+00,3.14135904812706042311e-04,39.1459639238548,3.91384955075837481786e+01,93,3.49537319998489692807e-02,1.79541908673101210588e+09);
INSERT INTO "amnl_epochs" VALUES(3,7,2.12652905273437499997e+03,1.06727993488311767578e+00,1.66365342865068500596e-05,3.91467918872980149549e+01,3.91384955075837481786e+01,93,3.17068750009639188647e-02,1.79541908678999400142e+09);
INSERT INTO "amnl_epochs" VALUES(3,8,2.12536743164062499997e+03,1.06564497947692871093e+00,4.17456351910572763877e-06,3.91470761977909518245e+01,3.91384955075837481786e+01,93,3.14883419996476732194e-02,1.79541908684398674963e+09);
INSERT INTO "amnl_epochs" VALUES(3,9,2152.27001953125,1.06990444660186767578e+00,4.17456351910572763877e-06,3.91471765808600054015e+01,3.91384955075837481786e+01,93,0.0435034119982447,1.79541908694300055503e+09);
INSERT INTO "amnl_epochs" VALUES(4,1,2098.66064453125,9.64784741401672363281e-01,1.79407202804868666501e-02,3.9197529848972834543e+01,3.9197529848972834543e+01,93,3.89464030013186857104e-02,1.79541908715800642968e+09);
INSERT INTO "amnl_epochs" VALUES(4,2,2.13044311523437499998e+03,9.2351537942886352539e-01,1.79407202804868666501e-02,3.93018086303168558961e+01,3.9197529848972834543e+01,93,4.56079129980935249477e-02,1.79541908723698401444e+09);
INSERT INTO "amnl_epochs" VALUES(5,1,2162.33349609375,1.09252488613128662109e+00,1.11950640213167755066e-04,3.9137596273783934464e+01,3.9137596273783934464e+01,93,3.27017820018227212131e-02,1.79541908739900302888e+09);
INSERT INTO "amnl_epochs" VALUES(5,2,2.15981274414062499999e+03,1.09357213973999023437e+00,1.11950640213167755066e-04,3.91379503407419804261e+01,3.9137596273783934464e+01,93,0.0266813420021208,1.79541908744599533085e+09);
INSERT INTO "amnl_epochs" VALUES(5,3,2149.99462890625,1.09481418132781982421e+00,1.11950640213167755066e-04,3.91383034561297549203e+01,3.9137596273783934464e+01,93,3.51297919987700879573e-02,1.79541908751000618932e+09);
INSERT INTO "amnl_epochs" VALUES(5,4,2153.833984375,1.08288073539733886718e+00,1.11950640213167755066e-04,3.9138625073711828862e+01,3.9137596273783934464e+01,93,2.83575880021089687943e-02,1.7954190875650048256e+09);
INSERT INTO "amnl_epochs" VALUES(5,5,2.15086596679687500001e+03,1.08312082290649414062e+00,1.11950640213167755066e-04,3.91389805274161517445e+01,3.9137596273783934464e+01,93,2.83058620007068384438e-02,1.79541908762800979607e+09);
INSERT INTO "amnl_epochs" VALUES(5,6,2.14748168945312499999e+03,1.08987116813659667968e+00,8.42428567604087502607e-05,3.9139316130173511965e+01,3.9137596273783934464e+01,93,3.03314910015615168958e-02,1.7954190876830086708e+09);
INSERT INTO "amnl_epochs" VALUES(5,7,2.12836108398437500008e+03,1.08783173561096191406e+00,4.46147400986662950872e-06,3.91395161952801089455e+01,3.9137596273783934464e+01,93,2.55188689989154227077e-02,1.79541908773000097277e+09);
INSERT INTO "amnl_epochs" VALUES(5,8,2127.20068359375,1.08629536628723144531e+00,1.11950640213167759305e-06,3.91395810278051072819e+01,3.9137596273783934464e+01,93,3.34344379989488516002e-02,1.79541908778399372098e+09);
INSERT INTO "amnl_epochs" VALUES(5,9,2.15424877929687499998e+03,1.08959794044494628906e+00,1.11950640213167759305e-06,3.91396036407775653742e+01,3.9137596273783934464e+01,93,3.27579350014275405555e-02,1.79541908785898828501e+09);
INSERT INTO "amnl_epochs" VALUES(6,1,2101.8154296875,9.85762953758239746093e-01,8.70341800728670761388e-02,3.92101501401096612653e+01,3.92101501401096612653e+01,93,4.39202000015939120203e-02,1.7954190880140066147e+09);
INSERT INTO "amnl_epochs" VALUES(6,2,2.13579516601562499991e+03,9.11237955093383789062e-01,8.70341800728670761388e-02,3.92242465040204280057e+01,3.92101501401096612653e+01,93,4.36169099994003772735e-02,1.79541908807801747329e+09);
INSERT INTO "amnl_epochs" VALUES(7,1,2.132232666015625e+03,1.12981736660003662109e+00,1.11950640213167755066e-04,3.91233740976977131245e+01,3.91233740976977131245e+01,93,9.05574600001273211091e-02,1.7954190950309872627e+09);
INSERT INTO "amnl_epochs" VALUES(7,2,2.15496655273437500007e+03,1.12666392326354980468e+00,1.11950640213167755066e-04,3.91236400506181922773e+01,3.91233740976977131245e+01,93,3.35969590014428831636e-02,1.79541909509801578519e+09);
INSERT INTO "amnl_epochs" VALUES(7,3,2.1562912597656249999e+03,1.1252155303955078125e+00,1.7350350165461108959e-05,39.1238902737685,3.91233740976977131245e+01,93,3.54430670013243798166e-02,1.79541909513800740242e+09);
INSERT INTO "amnl_epochs" VALUES(7,4,2147.47705078125,1.12395405769348144531e+00,1.11950640213167759305e-06,3.91239290736308760187e+01,3.91233740976977131245e+01,93,3.08194489989546127617e-02,1.7954190951940119267e+09);
INSERT INTO "amnl_epochs" VALUES(8,1,2.13213549804687500007e+03,1.12589752674102783203e+00,0.001,3.912567623409116635e+01,3.912567623409116635e+01,93,3.18097179988399147987e-02,1.79541909528501939779e+09);
INSERT INTO "amnl_epochs" VALUES(8,2,2.1540368652343749999e+03,1.11245083808898925781e+00,0.001,3.91281335135947898606e+01,3.912567623409116635e+01,93,2.91668879981443751603e-02,1795419095.33);
INSERT INTO "amnl_epochs" VALUES(8,3,2.15481518554687500005e+03,1.09963941574096679687e+00,1.54982143312659172151e-04,3.91304002079846924289e+01,3.912567623409116635e+01,93,2.65202830014459323137e-02,1.79541909536001396182e+09);
INSERT INTO "amnl_epochs" VALUES(8,4,2145.74853515625,1.09592938423156738281e+00,1.0e-05,3.91308665117591516482e+01,3.912567623409116635e+01,93,2.90998390009917784482e-02,1.79541909540499448772e+09);
INSERT INTO "amnl_epochs" VALUES(9,1,2.09953295898437500006e+03,9.92697060108184814453e-01,1.76953451134463507488e-02,3.92040549970026503956e+01,3.92040549970026503956e+01,93,9.15548589982790872454e-02,1.7954191079300119877e+09);
CREATE TABLE amnl_promotions (
	id INTEGER NOT NULL, 
	study VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	created_at DOUBLE NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study) REFERENCES amnl_studies (name), 
	UNIQUE (study, fingerprint), 
	UNIQUE (study, number)
);
INSERT INTO "amnl_promotions" VALUES(1,'tiny',1,'572dc10b12ae686cf3458e0ff50d8f0aef3692f1c0ba1ad3f61ec72ec0420329',1.79541909079500150675e+09);
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
INSERT INTO "amnl_range_tests" VALUES('4003901b7f54db568b53074406dbe98abdd23924947f7c134aae6ecd8d3af87f','SIM1','3b33e9726a584bd5cf9889bf49c3e1fd37350dcf2379cd2208c46572a76eaf04','{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','{"start_lr": 1e-06, "end_lr": 10.0, "num_iter": 60, "diverge_th": 5.0}','{"lr": [1e-06, 1.3141473626117563e-06, 1.7269832906594347e-06, 2.269510536694669e-06, 2.9824712862168905e-06, 3.919406774847219e-06, 5.1506780761681235e-06, 6.768750009458534e-06, 8.895134973108232e-06, 1.1689518164985782e-05, 1.5361749466718277e-05, 2.0187602546790388e-05, 2.6529484644318966e-05, 3.486365227678085e-05, 4.5815976690544915e-05, 6.0208944933361284e-05, 7.912342618981321e-05, 0.00010397984184814901, 0.0001366448349295326, 0.00017957144943716392, 0.00023598334667821936, 0.0003101168926574778, 0.0004075392965871776, 0.00053556669177069, 0.0007038135554931558, 0.000924914727721733, 0.0012154742500762863, 0.0015973122800602543, 0.0020991037201085546, 0.0027585316176291837, 0.0036251170499885313, 0.004763938010401344, 0.00626051657201482, 0.008227241341700463, 0.010811807510766082, 0.014208308325339215, 0.018671810912919213, 0.02453751106639817, 0.03224590545296392, 0.04237587160604064, 0.05568813990945267, 0.07318242219076179, 0.0961724871115296, 0.12638482029342968, 0.16608827826277156, 0.2182644728397486, 0.2868316813342012, 0.37693909753883603, 0.49535352089591744, 0.6509675230458171, 0.8554672535565676, 1.124210035062087], "loss": [2.0, 1.9277058839797974, 2.002471685409546, 2.216991901397705, 1.7576795816421509, 2.1641571521759033, 2.312577247619629, 2.0025906562805176, 2.176015615463257, 2.109408140182495, 2.157010078430176, 2.3374009132385254, 1.9410706758499146, 1.9878711700439453, 2.4588468074798584, 1.9818928241729736, 2.2295234203338623, 2.201303720474243, 2.223722219467163, 2.360883951187134, 2.0803682804107666, 2.4588944911956787, 2.11423921585083, 2.146667718887329, 2.347919464111328, 2.330009937286377, 1.9724394083023071, 2.053659439086914, 1.936391830444336, 2.3071248531341553, 2.4910407066345215, 1.8327832221984863, 1.7632337808609009, 2.4521615505218506, 1.9760332107543945, 2.2141809463500977, 2.068232536315918, 2.1606149673461914, 2.2721402645111084, 1.8828580379486084, 1.9111441373825073, 2.3172101974487305, 1.6789355278015137, 2.1738576889038086, 1.8980612754821777, 2.115896701812744, 1.995656967163086, 1.994968056678772, 1.7750413417816162, 2.156669855117798, 1.89955735206604, 101.29757690429688]}','{"steepest": null, "valley": null, "minimum/10": null}',1.32665172949964471627e+01,1.79541907840898942944e+09);
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
	finished_at DOUBLE, 
	PRIMARY KEY (id), 
	FOREIGN KEY(study) REFERENCES amnl_studies (name), 
	UNIQUE (study, promotion, slot)
);
INSERT INTO "amnl_runs" VALUES(1,'tiny',0,0,'published defaults',0,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','complete',NULL,1,NULL,0,9,9,3.91403339458714256693e+01,NULL,'{"nasa_score": 145.79435417831675, "rmse": 39.140333945871426, "rmse_all_windows": 42.07335416213006}',1.79541908230399942401e+09,1.79541908541599225992e+09);
INSERT INTO "amnl_runs" VALUES(2,'tiny',0,1,'sampler',1,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":2,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.0005736149768798778,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','complete',NULL,1,NULL,0,9,9,3.91396330088941866174e+01,NULL,'{"nasa_score": 145.83076372774656, "rmse": 39.13963300889419, "rmse_all_windows": 42.07448670133053}',1.79541908542500448222e+09,1.79541908632900261877e+09);
INSERT INTO "amnl_runs" VALUES(3,'tiny',0,2,'sampler',2,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00041745635191057275,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','complete',NULL,1,NULL,0,9,9,3.91384955075837481786e+01,NULL,'{"nasa_score": 146.06888019867566, "rmse": 39.13849550758375, "rmse_all_windows": 42.07588114412839}',1.79541908633700895308e+09,1.79541908702000665661e+09);
INSERT INTO "amnl_runs" VALUES(4,'tiny',0,3,'sampler',3,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":2,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.017940720280486867,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','pruned',NULL,1,NULL,0,9,2,3.9197529848972834543e+01,NULL,NULL,1.79541908702901887888e+09,1.79541908730401253693e+09);
INSERT INTO "amnl_runs" VALUES(5,'tiny',0,4,'sampler',4,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00011195064021316776,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','complete',NULL,1,NULL,0,9,9,3.9137596273783934464e+01,NULL,'{"nasa_score": 146.20208156603775, "rmse": 39.137596273783934, "rmse_all_windows": 42.07711367851171}',1.79541908731700778009e+09,1.79541908790300345426e+09);
INSERT INTO "amnl_runs" VALUES(6,'tiny',0,5,'sampler',5,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":2,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.08703418007286708,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','pruned',NULL,1,NULL,0,9,2,3.92101501401096612653e+01,NULL,NULL,1.79541908791398715974e+09,1.79541908838399052617e+09);
INSERT INTO "amnl_runs" VALUES(7,'tiny',1,0,'sampler',4,42,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":42,"epochs":4,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.00011195064021316776,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":null,"min_delta":0.001}','complete',NULL,1,NULL,0,4,4,3.91233740976977131245e+01,NULL,'{"rmse": 39.12337409769771, "nasa_score": 148.35265205808193, "rmse_all_windows": 42.0972691438441, "best_epoch": 1}',1.79541909362600588797e+09,1.79541909522201418875e+09);
INSERT INTO "amnl_runs" VALUES(8,'tiny',1,1,'published defaults',0,42,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":42,"epochs":4,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.001,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":32,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":null,"min_delta":0.001}','complete',NULL,1,NULL,0,4,4,3.912567623409116635e+01,NULL,'{"rmse": 39.125676234091166, "nasa_score": 147.9966352390374, "rmse_all_windows": 42.09390968425224, "best_epoch": 1}',1.79541909523098611829e+09,1.79541909542901372909e+09);
INSERT INTO "amnl_runs" VALUES(9,'tiny',0,6,'sampler',6,7,'{"loss":"normalized_batch","task_weight":0.5,"sample_weight":"linear","rul_reduction":"weighted_mean","health_thresholds":[30.0,80.0],"loss_ema_decay":0.99,"gaba_warmup_steps":100,"gaba_floor":0.05,"window":20,"conv_channels":[4,4],"hidden_size":4,"num_layers":2,"num_heads":2,"dropout":0.3,"attention_dropout":0.2,"pooling":"last","fc_sizes":[8,4],"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","seed":7,"epochs":9,"horizon":null,"schedule":"four_phase","warmup_fraction":0.05,"final_lr_fraction":0.01,"learning_rate":0.01769534511344635,"weight_decay":0.0001,"beta1":0.9,"beta2":0.999,"batch_size":16,"accumulation_steps":1,"clip":1.0,"ema_decay":0.999,"stride":8,"validation_subset":1.0,"patience":15,"min_delta":0.001}','waiting',NULL,1,NULL,0,9,1,NULL,NULL,NULL,1.79541910672800683968e+09,NULL);
CREATE TABLE amnl_schema_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT amnl_schema_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "amnl_schema_version" VALUES('0001');
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
	prior_high DOUBLE, 
	PRIMARY KEY (name)
);
INSERT INTO "amnl_studies" VALUES('tiny','{"name":"tiny","question":"Does it work?","seed":7,"data":{"dataset":"SIM1","split_seed":42,"validation_fraction":0.2,"validation_truncations":4,"conditions":0,"normalization":"condition","fallback":null},"objective":{"metric":"validation_rmse","direction":"minimize"},"budget":{"trials":7,"epochs":null,"wall_time":null},"trial":{"epochs":9,"horizon":null,"checkpoint_every":1},"sampler":{"name":"RandomSampler"},"pruner":{"name":"SuccessiveHalvingPruner","min_resource":2,"reduction_factor":2},"lr_range_test":{"enabled":true,"start_lr":1e-6,"end_lr":10.0,"num_iter":60,"suggestion":"minimum/10","spread":10.0},"fixed":{"conv_channels":[4,4],"num_heads":2,"fc_sizes":[8,4],"window":20,"stride":8},"incumbent":{"hidden_size":4,"batch_size":32},"space":{"learning_rate":{"when":{},"log":true,"type":"float","low":0.0001,"high":0.1,"step":null},"batch_size":{"when":{},"type":"categorical","choices":[16,32]},"hidden_size":{"when":{},"type":"categorical","choices":[2,4]}},"promotion":{"enabled":true,"top_k":1,"seeds":[42],"epochs":4,"schedule":"four_phase","patience":null,"checkpoint_every":10,"incumbent":true,"overrides":{}},"hardware":{"workers":1,"threads_per_worker":null,"device":"cpu"}}','4251321ec5ca48e2d282780721e59c6f08ef37baa1b7df9e928557c2dcdbad2b','SIM1','3b33e9726a584bd5cf9889bf49c3e1fd37350dcf2379cd2208c46572a76eaf04',1.79541906510300636285e+09,1.79541908230399942401e+09,1.79541907842500209806e+09,'4003901b7f54db568b53074406dbe98abdd23924947f7c134aae6ecd8d3af87f',NULL,NULL,NULL);
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
INSERT INTO "amnl_test_scores" VALUES(1,1,1,0,'user@host',1.79541909697798943513e+09,'a7c154deeb604e780f43d0a931ed87e7f4691506d59ba4b5b23f5326916f8129','{"promotion": 1, "look": 1, "forced": false, "dataset": "SIM1", "data_sha256": "a7c154deeb604e780f43d0a931ed87e7f4691506d59ba4b5b23f5326916f8129", "scored_at": 0.0, "winner": {"trial_number": 4, "origin": "sampler", "validation_rmse": 39.12337409769771, "test_rmse": 28.896482333264878, "nasa_score": 36.36696373851401, "by_seed": {"42": {"validation_rmse": 39.12337409769771, "test_rmse": 28.896482333264878, "nasa_score": 36.36696373851401}}, "predicted": [91.51605224609375, 91.51600646972656, 91.51594543457031, 91.51597595214844]}, "incumbent": {"trial_number": 0, "origin": "published defaults", "validation_rmse": 39.125676234091166, "test_rmse": 28.91712643462604, "nasa_score": 36.438044738098796, "by_seed": {"42": {"validation_rmse": 39.125676234091166, "test_rmse": 28.91712643462604, "nasa_score": 36.438044738098796}}, "predicted": [91.49030303955078, 91.49032592773438, 91.49034118652344, 91.49031829833984]}, "mean_rmse": 17.181021506301654, "mean_nasa_score": 22.026764517555254, "true": [125.0, 85.0, 124.0, 125.0], "units": [1, 2, 3, 4]}');
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
	stopped_at DOUBLE, 
	PRIMARY KEY (id)
);
INSERT INTO "amnl_workers" VALUES('051383da0b11','tiny','host',1,0.0,'cpu',1,'0.1.0',1.79541908228098607063e+09,1.79541908228098607063e+09,1.79541908839698576925e+09);
INSERT INTO "amnl_workers" VALUES('1ab8024c75f1','tiny','host',1,0.0,'cpu',1,'0.1.0',1.79541909361401653293e+09,1.79541909361401653293e+09,1.79541909543899154662e+09);
INSERT INTO "amnl_workers" VALUES('7fe85be8928a','tiny','host',1,0.0,'cpu',1,'0.1.0',1.79541910672100639345e+09,1.79541910672100639345e+09,1.79541910796799206737e+09);
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
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,1,4,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,1,5,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,1,6,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,1,7,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,1,8,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,1,9,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,2,1,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,2,2,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(12,2,3,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(13,2,4,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(14,2,5,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(15,2,6,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(16,2,7,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(17,2,8,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(18,2,9,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(19,3,1,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(20,3,2,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(21,3,3,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(22,3,4,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(23,3,5,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(24,3,6,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(25,3,7,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(26,3,8,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(27,3,9,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(28,4,1,3.9197529848972834543e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(29,4,2,3.9197529848972834543e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(30,5,1,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(31,5,2,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(32,5,3,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(33,5,4,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(34,5,5,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(35,5,6,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(36,5,7,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(37,5,8,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(38,5,9,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(39,6,1,3.92101501401096612653e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(40,6,2,3.92101501401096612653e+01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(41,7,1,3.92040549970026503956e+01,'FINITE');
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
INSERT INTO "trial_params" VALUES(10,4,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(11,4,'hidden_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}');
INSERT INTO "trial_params" VALUES(12,4,'learning_rate',1.79407202804868666501e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(13,5,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(14,5,'hidden_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}');
INSERT INTO "trial_params" VALUES(15,5,'learning_rate',1.11950640213167755066e-04,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(16,6,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(17,6,'hidden_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}');
INSERT INTO "trial_params" VALUES(18,6,'learning_rate',8.70341800728670761388e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(19,7,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32]}}');
INSERT INTO "trial_params" VALUES(20,7,'hidden_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [2, 4]}}');
INSERT INTO "trial_params" VALUES(21,7,'learning_rate',1.76953451134463507488e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0001, "high": 0.1, "log": true}}');
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
INSERT INTO "trial_system_attributes" VALUES(2,1,'completed_rung_0','39.140333945871426');
INSERT INTO "trial_system_attributes" VALUES(3,1,'completed_rung_1','39.140333945871426');
INSERT INTO "trial_system_attributes" VALUES(4,1,'completed_rung_2','39.140333945871426');
INSERT INTO "trial_system_attributes" VALUES(5,2,'fixed_params','{}');
INSERT INTO "trial_system_attributes" VALUES(6,2,'completed_rung_0','39.13963300889419');
INSERT INTO "trial_system_attributes" VALUES(7,2,'completed_rung_1','39.13963300889419');
INSERT INTO "trial_system_attributes" VALUES(8,2,'completed_rung_2','39.13963300889419');
INSERT INTO "trial_system_attributes" VALUES(9,3,'fixed_params','{}');
INSERT INTO "trial_system_attributes" VALUES(10,3,'completed_rung_0','39.13849550758375');
INSERT INTO "trial_system_attributes" VALUES(11,3,'completed_rung_1','39.13849550758375');
INSERT INTO "trial_system_attributes" VALUES(12,3,'completed_rung_2','39.13849550758375');
INSERT INTO "trial_system_attributes" VALUES(13,4,'fixed_params','{}');
INSERT INTO "trial_system_attributes" VALUES(14,4,'completed_rung_0','39.197529848972835');
INSERT INTO "trial_system_attributes" VALUES(15,5,'fixed_params','{}');
INSERT INTO "trial_system_attributes" VALUES(16,5,'completed_rung_0','39.137596273783934');
INSERT INTO "trial_system_attributes" VALUES(17,5,'completed_rung_1','39.137596273783934');
INSERT INTO "trial_system_attributes" VALUES(18,5,'completed_rung_2','39.137596273783934');
INSERT INTO "trial_system_attributes" VALUES(19,6,'fixed_params','{}');
INSERT INTO "trial_system_attributes" VALUES(20,6,'completed_rung_0','39.21015014010966');
INSERT INTO "trial_system_attributes" VALUES(21,7,'fixed_params','{}');
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
INSERT INTO "trial_user_attributes" VALUES(3,1,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.001, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(4,1,'validation_rmse','39.140333945871426');
INSERT INTO "trial_user_attributes" VALUES(5,1,'validation_nasa_score','145.79435417831675');
INSERT INTO "trial_user_attributes" VALUES(6,1,'validation_rmse_all_windows','42.07335416213006');
INSERT INTO "trial_user_attributes" VALUES(7,2,'slot','1');
INSERT INTO "trial_user_attributes" VALUES(8,2,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(9,2,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 2, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.0005736149768798778, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(10,2,'validation_rmse','39.13963300889419');
INSERT INTO "trial_user_attributes" VALUES(11,2,'validation_nasa_score','145.83076372774656');
INSERT INTO "trial_user_attributes" VALUES(12,2,'validation_rmse_all_windows','42.07448670133053');
INSERT INTO "trial_user_attributes" VALUES(13,3,'slot','2');
INSERT INTO "trial_user_attributes" VALUES(14,3,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(15,3,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.00041745635191057275, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(16,3,'validation_rmse','39.13849550758375');
INSERT INTO "trial_user_attributes" VALUES(17,3,'validation_nasa_score','146.06888019867566');
INSERT INTO "trial_user_attributes" VALUES(18,3,'validation_rmse_all_windows','42.07588114412839');
INSERT INTO "trial_user_attributes" VALUES(19,4,'slot','3');
INSERT INTO "trial_user_attributes" VALUES(20,4,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(21,4,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 2, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.017940720280486867, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(22,5,'slot','4');
INSERT INTO "trial_user_attributes" VALUES(23,5,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(24,5,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.00011195064021316776, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 32, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(25,5,'validation_rmse','39.137596273783934');
INSERT INTO "trial_user_attributes" VALUES(26,5,'validation_nasa_score','146.20208156603775');
INSERT INTO "trial_user_attributes" VALUES(27,5,'validation_rmse_all_windows','42.07711367851171');
INSERT INTO "trial_user_attributes" VALUES(28,6,'slot','5');
INSERT INTO "trial_user_attributes" VALUES(29,6,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(30,6,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 2, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.08703418007286708, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
INSERT INTO "trial_user_attributes" VALUES(31,7,'slot','6');
INSERT INTO "trial_user_attributes" VALUES(32,7,'origin','"sampler"');
INSERT INTO "trial_user_attributes" VALUES(33,7,'config','{"loss": "normalized_batch", "task_weight": 0.5, "sample_weight": "linear", "rul_reduction": "weighted_mean", "health_thresholds": [30.0, 80.0], "loss_ema_decay": 0.99, "gaba_warmup_steps": 100, "gaba_floor": 0.05, "window": 20, "conv_channels": [4, 4], "hidden_size": 4, "num_layers": 2, "num_heads": 2, "dropout": 0.3, "attention_dropout": 0.2, "pooling": "last", "fc_sizes": [8, 4], "dataset": "SIM1", "split_seed": 42, "validation_fraction": 0.2, "validation_truncations": 4, "conditions": 0, "normalization": "condition", "seed": 7, "epochs": 9, "horizon": null, "schedule": "four_phase", "warmup_fraction": 0.05, "final_lr_fraction": 0.01, "learning_rate": 0.01769534511344635, "weight_decay": 0.0001, "beta1": 0.9, "beta2": 0.999, "batch_size": 16, "accumulation_steps": 1, "clip": 1.0, "ema_decay": 0.999, "stride": 8, "validation_subset": 1.0, "patience": 15, "min_delta": 0.001}');
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
INSERT INTO "trial_values" VALUES(1,1,0,3.91403339458714256693e+01,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,3.91396330088941866174e+01,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,3.91384955075837481786e+01,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,3.9197529848972834543e+01,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,3.9137596273783934464e+01,'FINITE');
INSERT INTO "trial_values" VALUES(6,6,0,3.92101501401096612653e+01,'FINITE');
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
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-23 07:31:22.360026','2026-11-23 07:31:25.406040');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-23 07:31:25.433997','2026-11-23 07:31:26.323547');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-23 07:31:26.343289','2026-11-23 07:31:27.006039');
INSERT INTO "trials" VALUES(4,3,1,'PRUNED','2026-11-23 07:31:27.040785','2026-11-23 07:31:27.297720');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-23 07:31:27.327952','2026-11-23 07:31:27.893497');
INSERT INTO "trials" VALUES(6,5,1,'PRUNED','2026-11-23 07:31:27.922395','2026-11-23 07:31:28.375671');
INSERT INTO "trials" VALUES(7,6,1,'RUNNING','2026-11-23 07:31:46.743969',NULL);
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
COMMIT;
