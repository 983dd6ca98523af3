-- The first schema, as SQLite keeps it. A blank line ends a statement.

CREATE TABLE invocation (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    command VARCHAR NOT NULL,
    arguments JSON NOT NULL,
    settings JSON NOT NULL,
    seed INTEGER,
    versions JSON NOT NULL,
    started DATETIME NOT NULL,
    ended DATETIME,
    exit_code INTEGER,
    status VARCHAR NOT NULL,
    problem VARCHAR,
    CONSTRAINT pk_invocation PRIMARY KEY (id),
    CONSTRAINT ck_invocation_status_known CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
    CONSTRAINT uq_invocation_uuid UNIQUE (uuid)
);

CREATE TABLE artifact (
    id INTEGER NOT NULL,
    sha256 VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    encoding VARCHAR NOT NULL,
    path VARCHAR,
    data BLOB,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_artifact PRIMARY KEY (id),
    CONSTRAINT ck_artifact_encoding_known CHECK (encoding IN ('raw', 'zlib', 'file')),
    CONSTRAINT ck_artifact_one_place CHECK ((encoding = 'file') = (path IS NOT NULL) AND (encoding = 'file') = (data IS NULL)),
    CONSTRAINT uq_artifact_sha256 UNIQUE (sha256),
    CONSTRAINT fk_artifact_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE backbone (
    id INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    d_model INTEGER NOT NULL,
    n_blocks INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    columns INTEGER NOT NULL,
    image_transform VARCHAR NOT NULL,
    untrained BOOLEAN NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_backbone PRIMARY KEY (id),
    CONSTRAINT uq_backbone_digest UNIQUE (digest),
    CONSTRAINT fk_backbone_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE image (
    id INTEGER NOT NULL,
    sha256 VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_image PRIMARY KEY (id),
    CONSTRAINT ck_image_size_positive CHECK (width > 0 AND height > 0),
    CONSTRAINT uq_image_sha256 UNIQUE (sha256),
    CONSTRAINT fk_image_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE image_set (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    root VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    n_images INTEGER NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_image_set PRIMARY KEY (id),
    CONSTRAINT uq_image_set_name_digest UNIQUE (name, digest),
    CONSTRAINT fk_image_set_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_image_set_digest ON image_set (digest);

CREATE TABLE dictionary (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    published BOOLEAN NOT NULL,
    sha256 VARCHAR,
    checkpoint_id INTEGER,
    backbone_id INTEGER NOT NULL,
    layer INTEGER NOT NULL,
    tokens VARCHAR NOT NULL,
    n_latents INTEGER NOT NULL,
    activation VARCHAR NOT NULL,
    settings JSON NOT NULL,
    image_set VARCHAR,
    untrained BOOLEAN NOT NULL,
    created DATETIME NOT NULL,
    explained_variance DOUBLE,
    l0 DOUBLE,
    dead_fraction DOUBLE,
    patches_seen INTEGER,
    seconds DOUBLE,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_dictionary PRIMARY KEY (id),
    CONSTRAINT uq_dictionary_name_published UNIQUE (name, published),
    CONSTRAINT ck_dictionary_published_whole CHECK (NOT published OR sha256 IS NOT NULL),
    CONSTRAINT uq_dictionary_sha256 UNIQUE (sha256),
    CONSTRAINT fk_dictionary_checkpoint_id_artifact FOREIGN KEY(checkpoint_id) REFERENCES artifact (id),
    CONSTRAINT fk_dictionary_backbone_id_backbone FOREIGN KEY(backbone_id) REFERENCES backbone (id),
    CONSTRAINT fk_dictionary_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE image_set_member (
    image_set_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    label VARCHAR,
    CONSTRAINT pk_image_set_member PRIMARY KEY (image_set_id, position),
    CONSTRAINT fk_image_set_member_image_set_id_image_set FOREIGN KEY(image_set_id) REFERENCES image_set (id) ON DELETE CASCADE,
    CONSTRAINT fk_image_set_member_image_id_image FOREIGN KEY(image_id) REFERENCES image (id)
) WITHOUT ROWID;

CREATE INDEX ix_image_set_member_image_id ON image_set_member (image_id);

CREATE TABLE probe (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    classes JSON NOT NULL,
    backbone_id INTEGER NOT NULL,
    artifact_id INTEGER NOT NULL,
    settings JSON NOT NULL,
    n_train INTEGER NOT NULL,
    n_test INTEGER NOT NULL,
    accuracy DOUBLE,
    mean_iou DOUBLE,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_probe PRIMARY KEY (id),
    CONSTRAINT ck_probe_task_known CHECK (task IN ('classification', 'segmentation', 'zero_shot')),
    CONSTRAINT uq_probe_name UNIQUE (name),
    CONSTRAINT fk_probe_backbone_id_backbone FOREIGN KEY(backbone_id) REFERENCES backbone (id),
    CONSTRAINT fk_probe_artifact_id_artifact FOREIGN KEY(artifact_id) REFERENCES artifact (id),
    CONSTRAINT fk_probe_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_probe_backbone_id ON probe (backbone_id);

CREATE TABLE skipped_picture (
    image_set_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    CONSTRAINT pk_skipped_picture PRIMARY KEY (image_set_id, name),
    CONSTRAINT fk_skipped_picture_image_set_id_image_set FOREIGN KEY(image_set_id) REFERENCES image_set (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE thumbnail (
    image_id INTEGER NOT NULL,
    data BLOB NOT NULL,
    CONSTRAINT pk_thumbnail PRIMARY KEY (image_id),
    CONSTRAINT fk_thumbnail_image_id_image FOREIGN KEY(image_id) REFERENCES image (id) ON DELETE CASCADE
);

CREATE TABLE hypothesis (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    statement VARCHAR NOT NULL,
    dictionary_id INTEGER NOT NULL,
    probe_id INTEGER NOT NULL,
    "plan" JSON NOT NULL,
    plan_hash VARCHAR NOT NULL,
    registered BOOLEAN NOT NULL,
    replaces_id INTEGER,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_hypothesis PRIMARY KEY (id),
    CONSTRAINT uq_hypothesis_uuid UNIQUE (uuid),
    CONSTRAINT fk_hypothesis_dictionary_id_dictionary FOREIGN KEY(dictionary_id) REFERENCES dictionary (id),
    CONSTRAINT fk_hypothesis_probe_id_probe FOREIGN KEY(probe_id) REFERENCES probe (id),
    CONSTRAINT fk_hypothesis_replaces_id_hypothesis FOREIGN KEY(replaces_id) REFERENCES hypothesis (id),
    CONSTRAINT fk_hypothesis_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE latent (
    id INTEGER NOT NULL,
    dictionary_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    CONSTRAINT pk_latent PRIMARY KEY (id),
    CONSTRAINT uq_latent_dictionary_id_number UNIQUE (dictionary_id, number),
    CONSTRAINT fk_latent_dictionary_id_dictionary FOREIGN KEY(dictionary_id) REFERENCES dictionary (id) ON DELETE CASCADE
);

CREATE TABLE meta (
    id INTEGER NOT NULL,
    catalog_id VARCHAR NOT NULL,
    copied_from VARCHAR,
    example BOOLEAN NOT NULL,
    created DATETIME NOT NULL,
    default_dictionary_id INTEGER,
    CONSTRAINT pk_meta PRIMARY KEY (id),
    CONSTRAINT ck_meta_one_row CHECK (id = 1),
    CONSTRAINT fk_meta_default_dictionary_id_dictionary FOREIGN KEY(default_dictionary_id) REFERENCES dictionary (id) ON DELETE SET NULL
);

CREATE TABLE observation (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    image_id INTEGER NOT NULL,
    dictionary_id INTEGER NOT NULL,
    patches JSON NOT NULL,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_observation PRIMARY KEY (id),
    CONSTRAINT uq_observation_uuid UNIQUE (uuid),
    CONSTRAINT fk_observation_image_id_image FOREIGN KEY(image_id) REFERENCES image (id),
    CONSTRAINT fk_observation_dictionary_id_dictionary FOREIGN KEY(dictionary_id) REFERENCES dictionary (id),
    CONSTRAINT fk_observation_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE profile (
    id INTEGER NOT NULL,
    dictionary_id INTEGER NOT NULL,
    image_set_id INTEGER NOT NULL,
    published BOOLEAN NOT NULL,
    created DATETIME NOT NULL,
    n_images INTEGER NOT NULL,
    n_patches INTEGER NOT NULL,
    n_alive INTEGER NOT NULL,
    seconds DOUBLE NOT NULL,
    settings JSON NOT NULL,
    histogram_edges BLOB NOT NULL,
    signature_positions BLOB NOT NULL,
    signature_id INTEGER NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_profile PRIMARY KEY (id),
    CONSTRAINT fk_profile_dictionary_id_dictionary FOREIGN KEY(dictionary_id) REFERENCES dictionary (id) ON DELETE CASCADE,
    CONSTRAINT fk_profile_image_set_id_image_set FOREIGN KEY(image_set_id) REFERENCES image_set (id),
    CONSTRAINT fk_profile_signature_id_artifact FOREIGN KEY(signature_id) REFERENCES artifact (id),
    CONSTRAINT fk_profile_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_profile_dictionary_id ON profile (dictionary_id);

CREATE TABLE selection (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    dictionary_id INTEGER NOT NULL,
    image_set_id INTEGER NOT NULL,
    probe_id INTEGER,
    class_name VARCHAR NOT NULL,
    against VARCHAR,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_selection PRIMARY KEY (id),
    CONSTRAINT ck_selection_kind_known CHECK (kind IN ('detect', 'attribute')),
    CONSTRAINT uq_selection_uuid UNIQUE (uuid),
    CONSTRAINT fk_selection_dictionary_id_dictionary FOREIGN KEY(dictionary_id) REFERENCES dictionary (id),
    CONSTRAINT fk_selection_image_set_id_image_set FOREIGN KEY(image_set_id) REFERENCES image_set (id),
    CONSTRAINT fk_selection_probe_id_probe FOREIGN KEY(probe_id) REFERENCES probe (id),
    CONSTRAINT fk_selection_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE training_point (
    dictionary_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    patches_seen INTEGER NOT NULL,
    figures JSON NOT NULL,
    CONSTRAINT pk_training_point PRIMARY KEY (dictionary_id, step),
    CONSTRAINT fk_training_point_dictionary_id_dictionary FOREIGN KEY(dictionary_id) REFERENCES dictionary (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE comparison (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    latent_id INTEGER NOT NULL,
    target_id INTEGER NOT NULL,
    image_set_id INTEGER NOT NULL,
    method VARCHAR NOT NULL,
    settings JSON NOT NULL,
    counterpart_id INTEGER,
    reason VARCHAR,
    untrained_score DOUBLE,
    beyond_untrained BOOLEAN,
    n_images INTEGER NOT NULL,
    n_active INTEGER NOT NULL,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_comparison PRIMARY KEY (id),
    CONSTRAINT uq_comparison_uuid UNIQUE (uuid),
    CONSTRAINT fk_comparison_latent_id_latent FOREIGN KEY(latent_id) REFERENCES latent (id),
    CONSTRAINT fk_comparison_target_id_dictionary FOREIGN KEY(target_id) REFERENCES dictionary (id),
    CONSTRAINT fk_comparison_image_set_id_image_set FOREIGN KEY(image_set_id) REFERENCES image_set (id),
    CONSTRAINT fk_comparison_counterpart_id_latent FOREIGN KEY(counterpart_id) REFERENCES latent (id),
    CONSTRAINT fk_comparison_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_comparison_latent_id ON comparison (latent_id);

CREATE TABLE exemplar (
    profile_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    rank INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    patch INTEGER NOT NULL,
    activation DOUBLE NOT NULL,
    map BLOB,
    CONSTRAINT pk_exemplar PRIMARY KEY (profile_id, number, kind, rank),
    CONSTRAINT ck_exemplar_kind_known CHECK (kind IN ('top', 'quantile', 'random', 'near_miss')),
    CONSTRAINT fk_exemplar_profile_id_profile FOREIGN KEY(profile_id) REFERENCES profile (id) ON DELETE CASCADE,
    CONSTRAINT fk_exemplar_image_id_image FOREIGN KEY(image_id) REFERENCES image (id)
) WITHOUT ROWID;

CREATE TABLE experiment (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    hypothesis_id INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    created DATETIME NOT NULL,
    verdict VARCHAR,
    effect DOUBLE,
    ci_low DOUBLE,
    ci_high DOUBLE,
    p_value DOUBLE,
    report JSON,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_experiment PRIMARY KEY (id),
    CONSTRAINT ck_experiment_verdict_known CHECK (verdict IN ('supported', 'refuted', 'inconclusive')),
    CONSTRAINT ck_experiment_published_whole CHECK ((verdict IS NULL) = (report IS NULL)),
    CONSTRAINT uq_experiment_uuid UNIQUE (uuid),
    CONSTRAINT fk_experiment_hypothesis_id_hypothesis FOREIGN KEY(hypothesis_id) REFERENCES hypothesis (id),
    CONSTRAINT fk_experiment_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_experiment_hypothesis_id ON experiment (hypothesis_id);

CREATE TABLE hypothesis_latent (
    hypothesis_id INTEGER NOT NULL,
    latent_id INTEGER NOT NULL,
    CONSTRAINT pk_hypothesis_latent PRIMARY KEY (hypothesis_id, latent_id),
    CONSTRAINT fk_hypothesis_latent_hypothesis_id_hypothesis FOREIGN KEY(hypothesis_id) REFERENCES hypothesis (id) ON DELETE CASCADE,
    CONSTRAINT fk_hypothesis_latent_latent_id_latent FOREIGN KEY(latent_id) REFERENCES latent (id)
) WITHOUT ROWID;

CREATE INDEX ix_hypothesis_latent_latent_id ON hypothesis_latent (latent_id);

CREATE TABLE label (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    latent_id INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    note VARCHAR,
    confidence DOUBLE,
    evidence JSON,
    created DATETIME NOT NULL,
    supersedes_id INTEGER,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_label PRIMARY KEY (id),
    CONSTRAINT ck_label_text_not_blank CHECK (length(trim(text)) > 0),
    CONSTRAINT ck_label_author_not_blank CHECK (length(trim(author)) > 0),
    CONSTRAINT ck_label_confidence_share CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT uq_label_uuid UNIQUE (uuid),
    CONSTRAINT fk_label_latent_id_latent FOREIGN KEY(latent_id) REFERENCES latent (id),
    CONSTRAINT uq_label_supersedes_id UNIQUE (supersedes_id),
    CONSTRAINT fk_label_supersedes_id_label FOREIGN KEY(supersedes_id) REFERENCES label (id),
    CONSTRAINT fk_label_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE UNIQUE INDEX ix_label_first ON label (latent_id) WHERE supersedes_id IS NULL;

CREATE INDEX ix_label_latent_id ON label (latent_id);

CREATE TABLE latent_profile (
    profile_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    n_active INTEGER NOT NULL,
    total DOUBLE NOT NULL,
    maximum DOUBLE NOT NULL,
    histogram BLOB NOT NULL,
    CONSTRAINT pk_latent_profile PRIMARY KEY (profile_id, number),
    CONSTRAINT fk_latent_profile_profile_id_profile FOREIGN KEY(profile_id) REFERENCES profile (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE observed_latent (
    observation_id INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    latent_id INTEGER NOT NULL,
    activation DOUBLE NOT NULL,
    CONSTRAINT pk_observed_latent PRIMARY KEY (observation_id, rank),
    CONSTRAINT fk_observed_latent_observation_id_observation FOREIGN KEY(observation_id) REFERENCES observation (id) ON DELETE CASCADE,
    CONSTRAINT fk_observed_latent_latent_id_latent FOREIGN KEY(latent_id) REFERENCES latent (id)
) WITHOUT ROWID;

CREATE INDEX ix_observed_latent_latent_id ON observed_latent (latent_id);

CREATE TABLE selected_latent (
    selection_id INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    latent_id INTEGER NOT NULL,
    figures JSON NOT NULL,
    CONSTRAINT pk_selected_latent PRIMARY KEY (selection_id, rank),
    CONSTRAINT fk_selected_latent_selection_id_selection FOREIGN KEY(selection_id) REFERENCES selection (id) ON DELETE CASCADE,
    CONSTRAINT fk_selected_latent_latent_id_latent FOREIGN KEY(latent_id) REFERENCES latent (id)
) WITHOUT ROWID;

CREATE INDEX ix_selected_latent_latent_id ON selected_latent (latent_id);

CREATE TABLE arm (
    experiment_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    description JSON NOT NULL,
    CONSTRAINT pk_arm PRIMARY KEY (experiment_id, number),
    CONSTRAINT fk_arm_experiment_id_experiment FOREIGN KEY(experiment_id) REFERENCES experiment (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE label_closure (
    label_id INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    note VARCHAR,
    experiment_id INTEGER,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_label_closure PRIMARY KEY (label_id),
    CONSTRAINT ck_label_closure_status_known CHECK (status IN ('refuted', 'retired')),
    CONSTRAINT ck_label_closure_author_not_blank CHECK (length(trim(author)) > 0),
    CONSTRAINT fk_label_closure_label_id_label FOREIGN KEY(label_id) REFERENCES label (id),
    CONSTRAINT fk_label_closure_experiment_id_experiment FOREIGN KEY(experiment_id) REFERENCES experiment (id),
    CONSTRAINT fk_label_closure_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE TABLE "match" (
    comparison_id INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    latent_id INTEGER NOT NULL,
    score DOUBLE NOT NULL,
    ci_low DOUBLE,
    ci_high DOUBLE,
    p_value DOUBLE,
    CONSTRAINT pk_match PRIMARY KEY (comparison_id, rank),
    CONSTRAINT fk_match_comparison_id_comparison FOREIGN KEY(comparison_id) REFERENCES comparison (id) ON DELETE CASCADE,
    CONSTRAINT fk_match_latent_id_latent FOREIGN KEY(latent_id) REFERENCES latent (id)
) WITHOUT ROWID;

CREATE TABLE trial (
    experiment_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    figures BLOB,
    CONSTRAINT pk_trial PRIMARY KEY (experiment_id, position),
    CONSTRAINT fk_trial_experiment_id_experiment FOREIGN KEY(experiment_id) REFERENCES experiment (id) ON DELETE CASCADE,
    CONSTRAINT fk_trial_image_id_image FOREIGN KEY(image_id) REFERENCES image (id)
) WITHOUT ROWID;

CREATE VIRTUAL TABLE label_words USING fts5(
    text, content='label', content_rowid='id',
    prefix='2 3', tokenize='unicode61 remove_diacritics 2'
);

CREATE TRIGGER label_words_added AFTER INSERT ON label BEGIN
    INSERT INTO label_words(rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER label_unchanged BEFORE UPDATE ON label BEGIN
    SELECT RAISE(ABORT, 'labels are only added');
END;

CREATE TRIGGER label_kept BEFORE DELETE ON label BEGIN
    SELECT RAISE(ABORT, 'labels are only added');
END;
