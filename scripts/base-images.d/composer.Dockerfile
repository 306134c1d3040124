# Stands in for composer:2: the program alone, which needs what the stand-in of PHP's image has beside it.
FROM kilter-test/debian:trixie
RUN apt-get update \
    && apt-get install -y --no-install-recommends composer \
    && rm -rf /var/lib/apt/lists/* \
    # The program looks for its code from where it is; it is copied to another place.
    && sed -i "s#__DIR__ \. '/\.\./share#'/usr/share#" /usr/bin/composer && grep -q "'/usr/share/php" /usr/bin/composer
CMD ["composer"]
