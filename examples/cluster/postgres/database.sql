-- What the authorities need: one role that owns one database, and nothing else; they make their tables
-- themselves. As a superuser: psql -v password="$(cat store-password)" -f database.sql
create role sallyport_authority login password :'password' connection limit 40;
create database sallyport owner sallyport_authority encoding 'UTF8' template template0;
revoke all on database sallyport from public;
