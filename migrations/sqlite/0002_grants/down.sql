DROP TABLE access_grant;
