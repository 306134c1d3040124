use crate::detect::testing::tree;

/// What a service could give: `VARIABLE=template` by file and line, joined.
fn forms(files: &[(&str, &str)], service: &str) -> Vec<String> {
    let detection = tree(files).detect_by_catalog();
    assert_eq!(detection.warnings, []);
    let of_service = detection.forms.iter().filter(|form| form.service == service);
    of_service.map(|form| format!("{}:{} {}={}", form.file, form.line, form.variable, form.template)).collect()
}

fn of_example(text: &str, service: &str) -> Vec<String> {
    let name = |line: String| line.trim_start_matches(".env.example:").to_owned();
    forms(&[(".env.example", text)], service).into_iter().map(name).collect()
}

#[test]
fn the_parts_of_an_address_that_an_example_names() {
    let text = "APP=x\nDB_HOST=localhost\nDB_PORT=5432\nDB_USERNAME=\nDB_PASSWORD=secret\n# DB_NAME=x\n";
    assert_eq!(
        of_example(text, "postgres"),
        [
            "2 DB_HOST={{ .Host }}",
            "3 DB_PORT={{ .Port.postgres }}",
            "4 DB_USERNAME=postgres",
            "5 DB_PASSWORD={{ .Password }}"
        ]
    );
    assert_eq!(of_example(text, "mysql")[2], "4 DB_USERNAME=root");
    // Without a host they are for the container that a compose file starts.
    assert_eq!(of_example("POSTGRES_USER=a\nPOSTGRES_PASSWORD=b\nPOSTGRES_DB=c\n", "postgres"), [""; 0]);
    // The parts of another group say nothing of it.
    assert_eq!(of_example("DATABASE_HOST=a\nPOSTGRES_DB=c\n", "postgres"), ["1 DATABASE_HOST={{ .Host }}"]);
}

#[test]
fn variables_with_the_projects_own_words_before_them() {
    let text = "SHOP_DB_HOST=localhost\nSHOP_DB_NAME=shop\nSHOP__DB__PORT=5432\nDB_POOL=5\nFORWARD_DB_PORT=54320\n";
    assert_eq!(
        of_example(text, "postgres"),
        ["1 SHOP_DB_HOST={{ .Host }}", "2 SHOP_DB_NAME={{ .Database }}", "3 SHOP__DB__PORT={{ .Port.postgres }}"]
    );
    let nested = "APP__REDIS__HOST=localhost:6379\nJOBS_REDIS_HOST=localhost\nJOBS_REDIS_PASSWORD=\n";
    assert_eq!(
        of_example(nested, "redis"),
        [
            "1 APP__REDIS__HOST={{ .Host }}:{{ .Port.redis }}",
            "2 JOBS_REDIS_HOST={{ .Host }}",
            "3 JOBS_REDIS_PASSWORD={{ .Password }}"
        ]
    );
    for other in [
        "KEYCLOAK_DB_HOST=db",
        "MONGO_DB_HOST=db",
        "ORACLE_DB_HOST=db",
        "VECTOR_DB_HOST=db",
        // The catalog's own, of another service.
        "WORDPRESS_DB_HOST=db",
        "NEXT_PUBLIC_DB_HOST=db",
        "VUE_APP_DB_HOST=db",
        "TEST_DB_HOST=db",
        "ADB_HOST=db",
        "SHOP_DB_NAME=a",
    ] {
        assert_eq!(of_example(other, "postgres"), [""; 0], "{other}");
    }
    assert_eq!(of_example("WORDPRESS_DB_HOST=db\n", "mysql").len(), 1);
    assert_eq!(of_example("AZURE_STORAGE_ENDPOINT=https://x\n", "garage"), [""; 0]);
}

#[test]
fn an_address_in_parts_or_whole_as_the_example_has_it() {
    let of_storage = |text: &str| of_example(text, "garage")[0].clone();
    for (text, given) in [
        ("STORAGE_ENDPOINT=", "http://{{ .Host }}:{{ .Port.s3 }}"),
        ("STORAGE_ENDPOINT=http://localhost:9000", "http://{{ .Host }}:{{ .Port.s3 }}"),
        ("STORAGE_ENDPOINT=localhost:9000", "{{ .Host }}:{{ .Port.s3 }}"),
        ("STORAGE_ENDPOINT=localhost", "{{ .Host }}:{{ .Port.s3 }}"),
        ("STORAGE_ENDPOINT=localhost\nSTORAGE_PORT=9000", "{{ .Host }}"),
    ] {
        assert_eq!(of_storage(&format!("{text}\n")), format!("1 STORAGE_ENDPOINT={given}"), "{text}");
    }
}

#[test]
fn a_variable_that_holds_an_address_of_the_service_whatever_its_name() {
    let redis = "redis://default:{{ .Password }}@{{ .Host }}:{{ .Port.redis }}";
    let text = "CELERY_BROKER_URL=redis://localhost:6379/0\nREDIS_URL=redis://localhost\nCACHE=\"redis://x\"\n";
    assert_eq!(of_example(text, "redis"), [format!("1 CELERY_BROKER_URL={redis}"), format!("3 CACHE={redis}")]);
    assert_eq!(of_example(text, "postgres"), [""; 0]);
}

#[test]
fn the_scheme_is_the_one_that_the_library_reads() {
    let rest = "postgres:{{ .Password }}@{{ .Host }}:{{ .Port.postgres }}/{{ .Database }}";
    for (scheme, template) in [
        // Drivers of SQLAlchemy are told the rest otherwise than by what libpq reads.
        ("postgresql+asyncpg", format!("postgresql+asyncpg://{rest}")),
        (
            "jdbc:postgresql",
            "jdbc:postgresql://{{ .Host }}:{{ .Port.postgres }}/{{ .Database }}?user=postgres&password={{ .Password }}"
                .to_owned(),
        ),
    ] {
        let text = format!("DATABASE_URL={scheme}://localhost/shop\n");
        assert_eq!(of_example(&text, "postgres"), [format!("1 DATABASE_URL={template}")]);
    }
    // These are the same to whoever reads them.
    assert_eq!(of_example("DATABASE_URL=postgres://localhost/shop\n", "postgres"), [""; 0]);
    assert_eq!(
        of_example("DB=postgres://localhost/shop\n", "postgres"),
        [format!("1 DB=postgres://{rest}?sslmode=disable")]
    );
}

#[test]
fn databases_of_tests_and_of_others_are_left_alone() {
    let text =
        "TEST_DATABASE_URL=postgres://a\nSHADOW_DATABASE_URL=postgres://a\nPROD_DB=postgres://a\n# OLD=postgres://a\n";
    assert_eq!(of_example(text, "postgres"), [""; 0]);
    for file in [".env.test.example", ".env.production.example", "tests/.env.example"] {
        assert_eq!(forms(&[(file, "DB_HOST=x\n"), ("package.json", "{}")], "postgres"), [""; 0], "{file}");
    }
}

#[test]
fn a_word_that_chooses_the_service() {
    assert_eq!(of_example("CACHE_STORE=redis\nSESSION_DRIVER=file\n", "redis"), ["1 CACHE_STORE=redis"]);
}

#[test]
fn what_a_schema_of_prisma_reads() {
    let schema = |provider: &str| {
        format!(
            "datasource db {{\n  provider = \"{provider}\"\n  url = env(\"DATABASE_URL\")\n  shadowDatabaseUrl = env(\"SHADOW\")\n}}\n"
        )
    };
    let of = |provider: &str, service: &str| forms(&[("prisma/schema.prisma", &schema(provider))], service);
    let mysql = of("mysql", "mysql");
    assert_eq!(mysql.len(), 1, "{mysql:?}");
    assert!(mysql[0].starts_with("prisma/schema.prisma:2 DATABASE_URL=mysql://root:"), "{mysql:?}");
    assert!(of("sqlserver", "mssql")[0].contains("DATABASE_URL=sqlserver://{{ .Host }}:{{ .Port.mssql }};database="));
    assert_eq!(of("postgresql", "postgres"), [""; 0]);
    // Since Prisma 7 no address stands there.
    let by_block =
        |block: &str| forms(&[("prisma/schema.prisma", &format!("datasource db {{\n{block}\n}}\n"))], "mysql").len();
    assert_eq!((by_block("provider = \"mysql\""), by_block("provider = \"mysql\"\nurl = \"mysql://db/x\"")), (1, 0));
    assert_eq!(of("postgresql", "mysql"), [""; 0]);
}

#[test]
fn what_a_framework_reads_by_itself() {
    let build = "dependencies {\n  implementation 'org.springframework.boot:spring-boot-starter-web'\n  testImplementation 'io.quarkus:quarkus-jdbc-postgresql'\n}\n";
    let spring = forms(&[("build.gradle", build)], "postgres");
    let jdbc = "jdbc:postgresql://{{ .Host }}:{{ .Port.postgres }}/{{ .Database }}";
    assert_eq!(
        spring,
        [
            format!("build.gradle:2 SPRING_DATASOURCE_URL={jdbc}"),
            "build.gradle:2 SPRING_DATASOURCE_USERNAME=postgres".to_owned(),
            "build.gradle:2 SPRING_DATASOURCE_PASSWORD={{ .Password }}".to_owned()
        ]
    );
    // A driver of JDBC takes the addresses of its own name, whatever server answers.
    let of_driver = |driver: &str, service: &str| {
        let build = format!("{build}dependencies {{ runtimeOnly '{driver}' }}\n");
        let address = forms(&[("build.gradle", &build)], service).swap_remove(0);
        address.split_once("URL=").unwrap().1.split("//").next().unwrap().to_owned()
    };
    for service in ["mysql", "mariadb"] {
        assert_eq!(of_driver("com.mysql:mysql-connector-j", service), "jdbc:mysql:");
        assert_eq!(of_driver("org.mariadb.jdbc:mariadb-java-client", service), "jdbc:mariadb:");
    }
    let rails = forms(&[("Gemfile", "gem 'rails'\ngem 'mysql2'\n")], "mysql");
    assert!(rails[0].starts_with("Gemfile:2 DATABASE_URL=mysql2://root:"), "{rails:?}");
}

#[test]
fn connection_strings_by_what_they_lead_to() {
    let settings = r#"{
  // of the app
  "ConnectionStrings": {
    "Shop": "Server=localhost;Database=shop;User Id=sa",
    "Orders": "Host=localhost;Port=5432;Database=orders",
    "Cache": "localhost:6379,abortConnect=false",
    "Bus": "amqp://guest:guest@localhost",
    "Local": "Data Source=app.db",
    "Rabbit": "host=localhost;username=guest;password=guest",
    "TestDb": "Server=localhost;Database=shop_tests",
    "StagingConnection": "Server=localhost;Database=shop",
    "no-variable": "Host=x",
  },
}"#;
    let of = |service: &str| forms(&[("src/Api/appsettings.Development.json", settings)], service);
    let names = |service: &str| {
        let name =
            |form: String| form.split_once("ConnectionStrings__").unwrap().1.split('=').next().unwrap().to_owned();
        of(service).into_iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names("postgres"), ["Shop", "Orders"]);
    assert_eq!(names("mssql"), ["Shop"]);
    // Of the two the one fits whose driver reads such keys.
    let fit = |service: &str| {
        let detection = tree(&[("appsettings.json", settings)]).detect_by_catalog();
        detection.forms.iter().find(|form| form.service == service && form.variable.ends_with("Shop")).unwrap().fit
    };
    assert!(fit("mssql") > fit("postgres"));
    assert_eq!(names("redis"), ["Cache"]);
    assert_eq!(names("rabbitmq"), ["Bus"]);
    assert!(of("postgres")[0].ends_with(
        "appsettings.Development.json:4 ConnectionStrings__Shop=Host={{ .Host }};Port={{ .Port.postgres }};Database={{ .Database }};Username=postgres;Password={{ .Password }}"
    ));
}

#[test]
fn a_value_has_the_shape_of_the_one_in_the_example() {
    let host_and_port = "{{ .Host }}:{{ .Port.http }}";
    assert_eq!(
        of_example("ELASTICSEARCH_HOST=localhost:9200\n", "elasticsearch"),
        [format!("1 ELASTICSEARCH_HOST={host_and_port}")]
    );
    assert_eq!(of_example("ELASTICSEARCH_HOST=localhost\n", "elasticsearch"), ["1 ELASTICSEARCH_HOST={{ .Host }}"]);
    let whole = of_example("ELASTICSEARCH_HOST='http://localhost:9200'\n", "elasticsearch");
    assert_eq!(whole, ["1 ELASTICSEARCH_HOST=http://elastic:{{ .Password }}@{{ .Host }}:{{ .Port.http }}"]);
    let endpoint = |value: &str| of_example(&format!("MINIO_ENDPOINT={value}\nMINIO_PORT=9000\n"), "garage")[0].clone();
    assert_eq!(endpoint("localhost"), "1 MINIO_ENDPOINT={{ .Host }}");
    assert_eq!(endpoint("localhost:9000"), "1 MINIO_ENDPOINT={{ .Host }}:{{ .Port.s3 }}");
    assert_eq!(endpoint("http://localhost:9000"), "1 MINIO_ENDPOINT=http://{{ .Host }}:{{ .Port.s3 }}");
    // A host is no name of another service, whatever it is called in a compose file.
    assert_eq!(of_example("MAIL_HOST=maildev\n", "mailpit"), ["1 MAIL_HOST={{ .Host }}"]);
    // A switch is written as there.
    let tls = |value: &str| of_example(&format!("DB_HOST=x\nDB_SSL={value}\n"), "postgres")[1].clone();
    assert_eq!((tls("1"), tls("true")), ("2 DB_SSL=0".to_owned(), "2 DB_SSL=false".to_owned()));
}

#[test]
fn the_number_of_a_database_stays() {
    let text =
        "REDIS_URL=redis://localhost:6379/0\nQUEUE_URL=redis://localhost:6379/1\nCACHE_URL=redis://localhost/0\n";
    let redis = "redis://default:{{ .Password }}@{{ .Host }}:{{ .Port.redis }}";
    assert_eq!(of_example(text, "redis"), [format!("2 QUEUE_URL={redis}/1"), format!("3 CACHE_URL={redis}")]);
    assert_eq!(of_example("REDIS_URL=redis://localhost:6379/2\n", "redis"), [format!("1 REDIS_URL={redis}/2")]);
    // What another library reads is another scheme.
    assert!(of_example("DATABASE_URL=postgis://localhost/a\n", "postgres")[0].contains("DATABASE_URL=postgis://"));
}

#[test]
fn the_service_that_stands_where_the_variable_is_named_fits_best() {
    let files = [
        ("api/package.json", r#"{"dependencies": {"pg": "8"}}"#),
        ("api/.env.example", "DB_HOST=x\n"),
        ("web/package.json", r#"{"dependencies": {"mysql2": "3"}}"#),
    ];
    let detection = tree(&files).detect_by_catalog();
    let fit = |service: &str| detection.forms.iter().find(|form| form.service == service).unwrap().fit;
    assert!(fit("postgres") > fit("mysql"));
    assert!(detection.named.contains("DB_HOST"));
}

#[test]
fn the_port_that_an_example_names_by_its_number() {
    let native = "clickhouse://default:{{ .Password }}@{{ .Host }}:{{ .Port.native }}/{{ .Database }}";
    for (text, given) in [
        ("CLICKHOUSE_HOST=localhost\nCLICKHOUSE_PORT=8123\n", "{{ .Port.http }}"),
        ("CLICKHOUSE_HOST=localhost\nCLICKHOUSE_PORT=9000 # native\n", "{{ .Port.native }}"),
        ("CLICKHOUSE_HOST=localhost\nCLICKHOUSE_PORT=\n", "{{ .Port.http }}"),
        ("CLICKHOUSE_HOST=localhost\nCLICKHOUSE_PORT=19000\n", "{{ .Port.http }}"),
        ("\nX=clickhouse://localhost:9000/shop\n", native),
        ("\nX=clickhouse://default:1@localhost:8123\n", &native.replace("native", "http")),
    ] {
        assert_eq!(of_example(text, "clickhouse").last().unwrap().split_once('=').unwrap().1, given, "{text}");
    }
    let grpc = "1 QDRANT_URL=http://{{ .Host }}:{{ .Port.grpc }}";
    assert_eq!(of_example("QDRANT_URL=http://localhost:6334\n", "qdrant"), [grpc]);
    assert_eq!(of_example("QDRANT_URL=http://localhost:6333\n", "qdrant"), [""; 0], "what it gives by itself");
    // The page of the same server.
    let page = &of_example("RABBITMQ_HOST=localhost\nRABBITMQ_URL=http://localhost:15672\n", "rabbitmq")[1];
    assert!(page.ends_with("@{{ .Host }}:{{ .Port.amqp }}"), "{page}");
}

#[test]
fn a_client_of_another_protocol_goes_to_its_port() {
    let cargo = "[package]\nname = \"x\"\n[dependencies]\nqdrant-client = \"1\"\n";
    let of = |text: &str| {
        let all = forms(&[("Cargo.toml", cargo), (".env.example", text)], "qdrant").into_iter();
        all.filter(|form| form.starts_with(".env")).collect::<Vec<_>>()
    };
    assert_eq!(of("QDRANT_URL=\n"), [".env.example:1 QDRANT_URL=http://{{ .Host }}:{{ .Port.grpc }}"]);
    assert_eq!(of("QDRANT_URL=http://localhost:6333\n"), [""; 0], "the example knows better");
    let go = "module x\nrequire go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc v1.2.3\n";
    assert_eq!(
        forms(&[("go.mod", go)], "jaeger"),
        [
            "go.mod:2 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://{{ .Host }}:{{ .Port.grpc }}",
            "go.mod:2 OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc"
        ]
    );
}

#[test]
fn what_is_told_beside_a_variable_that_leads_to_another_port() {
    let text = "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317\n";
    assert_eq!(
        of_example(text, "signoz"),
        [
            "1 OTEL_EXPORTER_OTLP_ENDPOINT=http://{{ .Host }}:{{ .Port.otlp-grpc }}",
            "1 OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
        ]
    );
    assert_eq!(of_example("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318\n", "signoz"), [""; 0]);
    let traces = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc\nOTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://otel:4317\n";
    assert_eq!(
        of_example(traces, "jaeger"),
        [
            "2 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://{{ .Host }}:{{ .Port.grpc }}",
            "2 OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc"
        ]
    );
}

#[test]
fn parameters_behind_a_semicolon_as_the_example_or_a_schema_of_prisma_has_them() {
    let url = "sqlserver://sa:{{ .Password }}@{{ .Host }}:{{ .Port.mssql }}?database={{ .Database }}&encrypt=true&trustServerCertificate=true";
    let parameters = "sqlserver://{{ .Host }}:{{ .Port.mssql }};database={{ .Database }};user=sa;password={{ .Password }};encrypt=true;trustServerCertificate=true";
    let of = |text: &str| of_example(text, "mssql");
    assert_eq!(of("DATABASE_URL=sqlserver://sa:x@localhost:1433?database=a\n"), [format!("1 DATABASE_URL={url}")]);
    let of_prisma = "DATABASE_URL=\"sqlserver://localhost:1433;database=a;user=sa\"\n";
    assert_eq!(of(of_prisma), [format!("1 DATABASE_URL={parameters}")]);
    let schema = "datasource db {\n  provider = \"sqlserver\"\n  url = env(\"DATABASE_URL\")\n}\n";
    assert_eq!(forms(&[("schema.prisma", schema)], "mssql"), [format!("schema.prisma:2 DATABASE_URL={parameters}")]);
}

#[test]
fn a_port_for_people_or_for_this_machine_alone_is_none_of_the_apps() {
    for (text, service, given) in [
        ("KAFKA_HOST=localhost\nKAFKA_PORT=9094\n", "kafka", "{{ .Port.kafka }}"),
        ("MAIL_HOST=localhost\nMAIL_PORT=8025\n", "mailpit", "{{ .Port.smtp }}"),
        ("DB_HOST=localhost\nDB_PORT=8081\n", "postgres", "{{ .Port.postgres }}"),
        ("NATS_HOST=localhost\nNATS_PORT=8222\n", "nats", "{{ .Port.nats }}"),
    ] {
        assert_eq!(of_example(text, service)[1].split_once('=').unwrap().1, given, "{text}");
    }
}

#[test]
fn what_the_service_gives_by_itself_has_the_shape_of_the_example_too() {
    for (text, service, given) in [
        ("REDIS_URL=localhost:6379\n", "redis", &["1 REDIS_URL={{ .Host }}:{{ .Port.redis }}"][..]),
        ("MEMCACHED_URL=localhost:11211\n", "memcached", &["1 MEMCACHED_URL={{ .Host }}:{{ .Port.memcached }}"]),
        ("CHROMA_HOST=http://localhost:8000\n", "chroma", &["1 CHROMA_HOST=http://{{ .Host }}:{{ .Port.http }}"]),
        ("CHROMA_HOST=localhost\n", "chroma", &[]),
        ("REDIS_URL=redis://localhost:6379\n", "redis", &[]),
        (
            "ELASTICSEARCH_HOST=http://localhost\nELASTICSEARCH_PORT=9200\n",
            "elasticsearch",
            &["1 ELASTICSEARCH_HOST=http://{{ .Host }}", "2 ELASTICSEARCH_PORT={{ .Port.http }}"],
        ),
        (
            "MINIO_ENDPOINT=\nMINIO_PORT=9000\n",
            "garage",
            &["1 MINIO_ENDPOINT={{ .Host }}", "2 MINIO_PORT={{ .Port.s3 }}"],
        ),
    ] {
        assert_eq!(of_example(text, service), given, "{text}");
    }
}

#[test]
fn a_package_reads_an_address_in_no_other_form_than_its_own() {
    let plain = "postgres:{{ .Password }}@{{ .Host }}:{{ .Port.postgres }}/{{ .Database }}";
    let of = |requirements: &str, example: &str| {
        let all = forms(&[("requirements.txt", requirements), (".env.example", example)], "postgres");
        all.into_iter().map(|form| form.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let address = "DATABASE_URL=postgresql://localhost/shop\n";
    assert_eq!(of("asyncpg\nsqlalchemy\n", address), [format!("DATABASE_URL=postgresql://{plain}")]);
    assert_eq!(of("asyncpg\ntortoise-orm\n", ""), [format!("DATABASE_URL=postgres://{plain}")]);
    assert_eq!(of("psycopg\n", address), [""; 0]);
    let parts = of("asyncpg\n", "DB_HOST=localhost\n");
    assert_eq!(parts, ["DB_HOST={{ .Host }}".to_owned(), format!("DATABASE_URL=postgresql://{plain}")]);
    let example = "CLICKHOUSE_HOST=localhost\nCLICKHOUSE_PORT=\n";
    let ours = forms(&[("requirements.txt", "clickhouse-driver\n"), (".env.example", example)], "clickhouse");
    assert!(ours.contains(&".env.example:2 CLICKHOUSE_PORT={{ .Port.native }}".to_owned()), "{ours:?}");
    assert_eq!(forms(&[("requirements.txt", "clickhouse-driver\n")], "clickhouse"), [""; 0]);
}

#[test]
fn connection_strings_of_an_example() {
    let database = "Host=localhost;Port=5432;Database=shop;Username=a;Password=b";
    let ours = "Host={{ .Host }};Port={{ .Port.postgres }};Database={{ .Database }};Username=postgres;Password={{ .Password }}";
    let text =
        format!("POSTGRES_CONNECTION_STRING=\"{database}\"\nConnectionStrings__Shop={database}\n# X={database}\n");
    assert_eq!(
        of_example(&text, "postgres"),
        [format!("1 POSTGRES_CONNECTION_STRING={ours}"), format!("2 ConnectionStrings__Shop={ours}")]
    );
    for other in [
        "my-conn=Host=a;Database=b\n",
        "ConnectionStrings__Db.Main=Host=a;Database=b\n",
        "X=Driver={a};Server=b;Database=c\n",
    ] {
        assert_eq!(of_example(other, "postgres"), [""; 0], "{other}");
    }
    let broker = of_example("ConnectionStrings__Jobs=amqp://guest:guest@localhost:5672\n", "rabbitmq");
    assert!(broker.len() == 1 && broker[0].starts_with("1 ConnectionStrings__Jobs=amqp://"), "{broker:?}");
    assert_eq!(of_example("PARAMS=host=a;port=5432\n", "postgres"), [""; 0]);
    let prod = forms(&[(".env.production.example", &text)], "postgres");
    assert_eq!(prod, [""; 0]);
}

#[test]
fn what_gos_driver_of_mysql_reads() {
    let go = "root:{{ .Password }}@tcp({{ .Host }}:{{ .Port.mysql }})/{{ .Database }}?parseTime=true";
    for (text, given) in [
        ("MYSQL_URL=a:b@tcp(localhost:3306)/shop\n", format!("1 MYSQL_URL={go}")),
        ("MIGRATIONS=mysql://a:b@tcp(localhost:3306)/shop\n", format!("1 MIGRATIONS=mysql://{go}")),
    ] {
        assert_eq!(of_example(text, "mysql"), [given], "{text}");
    }
}

#[test]
fn a_service_is_reached_in_the_plain() {
    let redis = "redis://default:{{ .Password }}@{{ .Host }}:{{ .Port.redis }}";
    assert_eq!(of_example("JOBS=redis+sentinel://a:26379/0\n", "redis"), [format!("1 JOBS={redis}")]);
    let mail = "SMTP_HOST=x\nSMTP_SECURE=true\nSMTP_TLS=\n";
    assert_eq!(of_example(mail, "mailpit"), ["2 SMTP_SECURE=false"], "an empty switch stays as it is");
}
