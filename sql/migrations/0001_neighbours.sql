-- Tables of the customer's other system that ours refer to. Where they exist they are never touched.

DO $$
BEGIN
    IF to_regclass('sites_euralis') IS NULL THEN
        CREATE TABLE sites_euralis (
            id SERIAL PRIMARY KEY,
            code VARCHAR(2) NOT NULL UNIQUE,
            nom VARCHAR(100) NOT NULL,
            region VARCHAR(100)
        );
        INSERT INTO sites_euralis (code, nom, region) VALUES
            ('LL', 'Bretagne', 'Bretagne'),
            ('LS', 'Pays de Loire', 'Pays de la Loire'),
            ('MT', 'Maubourguet', 'Occitanie');
    END IF;
    IF to_regclass('lots_gavage') IS NULL THEN
        CREATE TABLE lots_gavage (
            id SERIAL PRIMARY KEY,
            code_lot VARCHAR(50) NOT NULL UNIQUE,
            site_code VARCHAR(2) REFERENCES sites_euralis(code),
            gaveur_id INTEGER,
            debut_lot DATE NOT NULL,
            fin_lot DATE,
            nb_canards INTEGER,
            itm_moyen DECIMAL(6,3),
            statut VARCHAR(20) NOT NULL DEFAULT 'en_cours'
        );
    END IF;
END
$$;
