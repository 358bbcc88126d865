DROP TABLE subscription_delivery;
DROP TABLE subscription;
