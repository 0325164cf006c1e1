"""Gets a token with Authlib. The client authenticates by private_key_jwt, with Authlib's own defaults.

Arguments: the token endpoint, the client id, and a file with the private key in PEM.
"""
import sys

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

endpoint, client_id, path = sys.argv[1:]
with open(path, encoding="ascii") as file:
    session = OAuth2Session(client_id, file.read(), token_endpoint_auth_method="private_key_jwt")
session.register_client_auth_method(PrivateKeyJWT(endpoint))
token = session.fetch_token(endpoint, grant_type="client_credentials", scope="a")
print(token["token_type"], token["scope"], token["expires_in"])
