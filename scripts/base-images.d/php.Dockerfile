# Stands in for php:8.4-cli, which is Debian trixie with PHP as well. Extensions are Debian's packages: here nothing is built, and
# what would bring them says so by their names.
FROM kilter-test/debian:trixie
COPY php-extension /usr/local/bin/php-extension
# Composer's own code lies beside PHP in Debian; the program comes from its image, as in the original.
RUN apt-get update \
    && apt-get install -y --no-install-recommends php8.4-cli php8.4-mbstring php8.4-xml php8.4-curl composer \
    && rm -rf /var/lib/apt/lists/* /usr/bin/composer \
    # As in the original: no php.ini.
    && rm -f /etc/php/8.4/cli/php.ini \
    && chmod 0755 /usr/local/bin/php-extension \
    && for name in docker-php-ext-install docker-php-ext-enable docker-php-ext-configure pecl; do \
        ln -s php-extension /usr/local/bin/$name; \
    done \
    && php --version
CMD ["php", "-a"]
