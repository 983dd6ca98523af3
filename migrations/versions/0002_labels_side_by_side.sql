-- Labels of several authors stand side by side, and have scores. A blank line ends a statement.

CREATE TEMP TABLE old_label AS SELECT * FROM label;

CREATE TEMP TABLE old_closure AS SELECT * FROM label_closure;

DROP TABLE label_closure;

DROP TABLE label;

CREATE TABLE label (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    latent_id INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    note VARCHAR,
    confidence DOUBLE,
    evidence JSON,
    created DATETIME NOT NULL,
    supersedes_id INTEGER,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_label PRIMARY KEY (id),
    CONSTRAINT ck_label_text_not_blank CHECK (length(trim(text)) > 0),
    CONSTRAINT ck_label_author_not_blank CHECK (length(trim(author)) > 0),
    CONSTRAINT ck_label_kind_known CHECK (kind IN ('person', 'labeller')),
    CONSTRAINT ck_label_confidence_share CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT uq_label_uuid UNIQUE (uuid),
    CONSTRAINT fk_label_latent_id_latent FOREIGN KEY(latent_id) REFERENCES latent (id),
    CONSTRAINT fk_label_supersedes_id_label FOREIGN KEY(supersedes_id) REFERENCES label (id),
    CONSTRAINT fk_label_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_label_latent_id ON label (latent_id);

CREATE INDEX ix_label_supersedes_id ON label (supersedes_id);

CREATE TABLE label_closure (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    label_id INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    note VARCHAR,
    experiment_id INTEGER,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_label_closure PRIMARY KEY (id),
    CONSTRAINT ck_label_closure_status_known CHECK (status IN ('refuted', 'retired')),
    CONSTRAINT ck_label_closure_author_not_blank CHECK (length(trim(author)) > 0),
    CONSTRAINT uq_label_closure_uuid UNIQUE (uuid),
    CONSTRAINT fk_label_closure_label_id_label FOREIGN KEY(label_id) REFERENCES label (id),
    CONSTRAINT fk_label_closure_experiment_id_experiment FOREIGN KEY(experiment_id) REFERENCES experiment (id),
    CONSTRAINT fk_label_closure_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_label_closure_label_id ON label_closure (label_id);

CREATE TABLE label_score (
    id INTEGER NOT NULL,
    uuid VARCHAR NOT NULL,
    label_id INTEGER NOT NULL,
    judge VARCHAR NOT NULL,
    figures JSON NOT NULL,
    created DATETIME NOT NULL,
    invocation_id INTEGER NOT NULL,
    CONSTRAINT pk_label_score PRIMARY KEY (id),
    CONSTRAINT uq_label_score_uuid UNIQUE (uuid),
    CONSTRAINT fk_label_score_label_id_label FOREIGN KEY(label_id) REFERENCES label (id),
    CONSTRAINT fk_label_score_invocation_id_invocation FOREIGN KEY(invocation_id) REFERENCES invocation (id)
);

CREATE INDEX ix_label_score_label_id ON label_score (label_id);

INSERT INTO label (id, uuid, latent_id, text, author, kind, note, confidence, evidence, created,
    supersedes_id, invocation_id)
SELECT id, uuid, latent_id, text, author, 'person', note, confidence, evidence, created,
    supersedes_id, invocation_id FROM temp.old_label;

-- A closure was its label's only one: the label's UUID serves, the same in every copy.
INSERT INTO label_closure (id, uuid, label_id, status, author, note, experiment_id, created,
    invocation_id)
SELECT old_closure.rowid, old_label.uuid, label_id, status, old_closure.author, old_closure.note,
    experiment_id, old_closure.created, old_closure.invocation_id
FROM temp.old_closure JOIN temp.old_label ON old_label.id = label_id;

DROP TABLE temp.old_closure;

DROP TABLE temp.old_label;

CREATE TRIGGER label_words_added AFTER INSERT ON label BEGIN
    INSERT INTO label_words(rowid, text) VALUES (new.id, new.text);
END;

CREATE TRIGGER label_unchanged BEFORE UPDATE ON label BEGIN
    SELECT RAISE(ABORT, 'labels are only added');
END;

CREATE TRIGGER label_kept BEFORE DELETE ON label BEGIN
    SELECT RAISE(ABORT, 'labels are only added');
END;
